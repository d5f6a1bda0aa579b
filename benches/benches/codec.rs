//! The text protocol: decoding and encoding pipelines of commands and responses.
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
    ClientCodec, Command, Limits, RequestParser, Response, ServerCodec, Step, encode_command, encode_response,
};
use tokio_util::codec::Decoder;

/// Commands or responses in one buffer.
const PIPELINE: usize = 64;

fn decode_commands(c: &mut Criterion) {
    let mut group = group(c, "decode_commands");
    for (name, value) in values() {
        let input = pipeline(|number, out| encode_command(&set(number, &value), out));
        group.bench_function(BenchmarkId::new("borrowed", &name), |b| b.iter(|| parse_borrowed(&input)));
        decode_bench(&mut group, BenchmarkId::new("owned", &name), &input, ServerCodec::new);
    }
}

fn decode_responses(c: &mut Criterion) {
    let mut group = group(c, "decode_responses");
    for (name, value) in values() {
        let input = pipeline(|_, out| encode_response(&Response::Value(&value), out));
        decode_bench(&mut group, BenchmarkId::new("owned", &name), &input, ClientCodec::new);
    }
}

fn encode_commands(c: &mut Criterion) {
    let mut group = group(c, "encode_commands");
    for (name, value) in values() {
        let command = set(0, &value);
        encode_bench(&mut group, name, |out| encode_command(&command, out));
    }
}

fn encode_responses(c: &mut Criterion) {
    let mut group = group(c, "encode_responses");
    for (name, value) in values() {
        let response = Response::Value(&value);
        encode_bench(&mut group, name, |out| encode_response(&response, out));
    }
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

fn encode_bench(group: &mut BenchmarkGroup<'_, WallTime>, name: String, encode: impl Fn(&mut BytesMut)) {
    let mut out = BytesMut::new();
    group.bench_function(name, |b| {
        b.iter(|| {
            out.clear();
            (0..PIPELINE).for_each(|_| encode(&mut out));
            black_box(out.len())
        });
    });
}

fn parse_borrowed(mut input: &[u8]) {
    let mut parser = RequestParser::new(Limits::default());
    let mut requests = 0;
    while let Step::Request { request, consumed_bytes } = parser.next(input) {
        black_box(request).expect("the commands are sound");
        input = &input[consumed_bytes..];
        requests += 1;
    }
    assert_eq!(requests, PIPELINE);
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

fn set(number: u64, value: &[u8]) -> Command<Vec<u8>> {
    Command::Set { key: key(number).to_vec(), value: value.to_vec() }
}

fn pipeline(encode: impl Fn(u64, &mut BytesMut)) -> Bytes {
    let mut out = BytesMut::new();
    (0..PIPELINE as u64).for_each(|number| encode(number, &mut out));
    out.freeze()
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = decode_commands, decode_responses, encode_commands, encode_responses
}
criterion_main!(benches);
