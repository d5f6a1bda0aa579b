//! A scrape of `/metrics`, parsed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustvault_testkit::PATIENCE;

/// The series of one scrape.
#[derive(Debug)]
pub(crate) struct Scraped {
    pub(crate) text: String,
    series: BTreeMap<String, f64>,
}

impl Scraped {
    /// Scrapes the server whose HTTP listener has this address, with a header behind the usual ones if it is not empty.
    pub(crate) fn of(addr: SocketAddr, header: &str) -> Self {
        let mut socket = TcpStream::connect(addr).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{header}\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        });
        Self { text: text.to_owned(), series: series.collect() }
    }

    /// Returns the value of a series, which must be there.
    #[track_caller]
    pub(crate) fn get(&self, series: &str) -> f64 {
        self.find(series).unwrap_or_else(|| panic!("no {series} in {}", self.text))
    }

    pub(crate) fn find(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// Returns the names of all series, with their labels.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.series.keys().map(String::as_str).collect()
    }

    /// Returns the names of all families.
    pub(crate) fn families(&self) -> BTreeSet<&str> {
        let types = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.filter_map(|line| line.split(' ').next()).collect()
    }

    /// Returns the series of a family by their labels, those with the value 0 left out.
    pub(crate) fn family(&self, name: &str) -> BTreeMap<&str, f64> {
        let series = self.series.iter().filter(|(_, value)| **value != 0.0);
        series
            .filter_map(|(series, value)| {
                Some((series.strip_prefix(name)?.strip_prefix('{')?.strip_suffix('}')?, *value))
            })
            .collect()
    }

    /// Returns count and sum of a histogram, whose labels are written as `a="b"`, and checks its buckets.
    #[track_caller]
    pub(crate) fn histogram(&self, name: &str, labels: &str) -> (f64, f64) {
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let count = self.get(&format!("{name}_count{braces}"));
        let sum = self.get(&format!("{name}_sum{braces}"));
        let comma = if labels.is_empty() { "" } else { "," };
        let (prefix, mut buckets) = (format!("{name}_bucket{{{labels}{comma}le=\""), Vec::new());
        for (series, value) in &self.series {
            if let Some(bound) = series.strip_prefix(&prefix) {
                buckets.push((bound.trim_end_matches("\"}").parse::<f64>().unwrap(), *value));
            }
        }
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{name} {labels}: {buckets:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{name} {labels}");
        let mean_bound = buckets.iter().map(|(bound, _)| *bound).find(|bound| *bound * count >= sum);
        assert!(mean_bound.is_some(), "{name} {labels}: the mean is beyond all bounds");
        (count, sum)
    }
}
