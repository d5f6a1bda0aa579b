//! The protocols: finding commands by name, parsing and encoding pipelines of requests and replies.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing else to say")]

use std::hint::black_box;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use rustvault_benches::{VALUE_BYTES, bare_value, key, quoted_value};
use rustvault_protocol::{
    ClientCodec, Command, ErrorCode, Limits, Protocol, Reply, RequestParser, ServerCodec, Step,
    encode_request,
};
use tokio_util::codec::Decoder;

/// Requests or replies in one buffer.
const PIPELINE: usize = 64;

fn decode_commands(c: &mut Criterion) {
    let mut group = group(c, "decode_commands");
    for (name, value) in values() {
        let input = pipeline(|number, out| put_set(number, &value, out));
        parse_bench(&mut group, BenchmarkId::new("borrowed", &name), &input);
        decode_bench(&mut group, BenchmarkId::new("owned", &name), &input, ServerCodec::new);
    }
    let gets = pipeline(|number, out| encode_request(Command::Get, &[key(number)], out));
    parse_bench(&mut group, BenchmarkId::new("borrowed", "get"), &gets);
}

fn decode_resp(c: &mut Criterion) {
    let mut group = group(c, "decode_resp");
    for len_bytes in VALUE_BYTES {
        let value = bare_value(len_bytes);
        let input = pipeline(|number, out| put_array(&[b"SET", &key(number), &value], out));
        parse_bench(&mut group, BenchmarkId::new("borrowed/set", len_bytes), &input);
    }
    let gets = pipeline(|number, out| put_array(&[b"GET", &key(number)], out));
    parse_bench(&mut group, BenchmarkId::new("borrowed", "get"), &gets);
}

fn decode_responses(c: &mut Criterion) {
    let mut group = group(c, "decode_responses");
    for (name, value) in values() {
        let reply = Reply::Bulk(&value);
        let input = pipeline(|_, out| Protocol::Text.encode(&reply, out));
        decode_bench(&mut group, BenchmarkId::new("owned", &name), &input, ClientCodec::text);
    }
    for len_bytes in VALUE_BYTES {
        let value = bare_value(len_bytes);
        let input = pipeline(|_, out| Protocol::Resp3.encode(&Reply::Bulk(&value), out));
        decode_bench(&mut group, BenchmarkId::new("owned/resp", len_bytes), &input, ClientCodec::resp);
    }
    let oks = pipeline(|_, out| Protocol::Resp3.encode(&Reply::<Bytes>::OK, out));
    decode_bench(&mut group, BenchmarkId::new("owned/resp", "ok"), &oks, ClientCodec::resp);
}

fn encode_commands(c: &mut Criterion) {
    let mut group = group(c, "encode_commands");
    for (name, value) in values() {
        let arguments = [key(0).to_vec(), value];
        encode_bench(&mut group, BenchmarkId::from_parameter(name), |out| {
            encode_request(Command::Set, &arguments, out);
        });
    }
}

fn encode_responses(c: &mut Criterion) {
    let mut group = group(c, "encode_responses");
    for (name, value) in values() {
        reply_bench(&mut group, BenchmarkId::from_parameter(name), Protocol::Text, &Reply::Bulk(&value));
    }
    let error: Reply =
        Reply::error(ErrorCode::TooLarge, "the key has 70000 bytes, and at most 65536 are allowed");
    for (name, protocol) in [("text", Protocol::Text), ("resp2", Protocol::Resp2)] {
        reply_bench(&mut group, BenchmarkId::new("ok", name), protocol, &Reply::<Bytes>::OK);
        reply_bench(&mut group, BenchmarkId::new("error", name), protocol, &error);
    }
    for len_bytes in VALUE_BYTES {
        let value = bare_value(len_bytes);
        let id = BenchmarkId::new("value/resp2", len_bytes);
        reply_bench(&mut group, id, Protocol::Resp2, &Reply::Bulk(&value));
    }
}

fn find_command(c: &mut Criterion) {
    let mut group = group(c, "find_command");
    let last = Command::served(Protocol::Resp2).last().expect("commands are served").name();
    for (id, name) in [("GET", "GET"), ("last_row", last), ("unknown", "NONSENSE")] {
        group.bench_function(id, |b| {
            b.iter(|| {
                for _ in 0..PIPELINE {
                    black_box(Command::find(black_box(name.as_bytes()), Protocol::Resp2));
                }
            });
        });
    }
}

fn parse_bench(group: &mut BenchmarkGroup<'_, WallTime>, id: BenchmarkId, input: &[u8]) {
    group.bench_function(id, |b| {
        let mut arguments = Vec::new();
        b.iter(|| {
            let (mut parser, mut rest, mut requests) = (RequestParser::new(Limits::default()), input, 0);
            while let Step::Request { command, consumed_bytes } = parser.next(rest, &mut arguments) {
                black_box((command.expect("the requests are sound"), &arguments));
                arguments.clear();
                rest = &rest[consumed_bytes..];
                requests += 1;
            }
            assert_eq!(requests, PIPELINE);
        });
    });
}

fn decode_bench<D: Decoder<Error: std::fmt::Debug>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    input: &Bytes,
    codec: fn(Limits) -> D,
) {
    group.bench_function(id, |b| {
        let read_buffer = || (codec(Limits::default()), BytesMut::from(&input[..]));
        b.iter_batched_ref(read_buffer, |(codec, buffer)| decode_all(codec, buffer), BatchSize::LargeInput);
    });
}

fn reply_bench<B: AsRef<[u8]>>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    protocol: Protocol,
    reply: &Reply<B>,
) {
    encode_bench(group, id, |out| protocol.encode(reply, out));
}

fn encode_bench(group: &mut BenchmarkGroup<'_, WallTime>, id: BenchmarkId, encode: impl Fn(&mut BytesMut)) {
    let mut out = BytesMut::new();
    group.bench_function(id, |b| {
        b.iter(|| {
            out.clear();
            (0..PIPELINE).for_each(|_| encode(&mut out));
            black_box(out.len())
        });
    });
}

fn decode_all<D: Decoder<Error: std::fmt::Debug>>(codec: &mut D, buffer: &mut BytesMut) {
    let mut items = 0;
    while let Some(item) = codec.decode(buffer).expect("the buffer is sound") {
        black_box(item);
        items += 1;
    }
    assert_eq!(items, PIPELINE);
}

fn group<'a>(c: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(PIPELINE as u64));
    group
}

fn values() -> impl Iterator<Item = (String, Vec<u8>)> {
    VALUE_BYTES.into_iter().flat_map(|len_bytes| {
        [
            (format!("bare/{len_bytes}"), bare_value(len_bytes)),
            (format!("quoted/{len_bytes}"), quoted_value(len_bytes)),
        ]
    })
}

fn put_set(number: u64, value: &[u8], out: &mut BytesMut) {
    encode_request(Command::Set, &[&key(number)[..], value], out);
}

/// Appends a request of RESP, as clients send it.
fn put_array(words: &[&[u8]], out: &mut BytesMut) {
    Protocol::Resp2.begin_array(words.len(), out);
    words.iter().for_each(|word| Protocol::Resp2.encode(&Reply::Bulk(word), out));
}

fn pipeline(encode: impl Fn(u64, &mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    (0..PIPELINE as u64).for_each(|number| encode(number, &mut out));
    out.freeze()
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = decode_commands, decode_resp, decode_responses, encode_commands, encode_responses, find_command
}
criterion_main!(benches);
