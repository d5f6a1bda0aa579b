//! Messages that a client can cause without a pause: few are printed.

use rustvault_tests::Launch;

#[test]
fn of_many_compactions_ten_a_minute_are_reported() {
    let daemon = Launch::new().start();
    let mut wire = daemon.wire();
    for number in 0..40 {
        wire.ask(format!("SET k {number}\r\nCOMPACT\r\n"), "OK\r\nOK\r\n");
    }
    assert_eq!(wire.info_number("compactions"), 40);
    drop(wire);
    daemon.wait_for_line("compaction done");
    for text in ["compaction begins", "compaction done"] {
        let reported = daemon.log_lines().iter().filter(|line| line.contains(text)).count();
        // A minute may end meanwhile.
        assert!((1..=20).contains(&reported), "{text}: {reported} lines");
    }
}
