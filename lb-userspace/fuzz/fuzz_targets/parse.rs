//! `cargo xtask fuzz MINUTES parse`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| lb_fuzz::targets::parse(input));

#[cfg(not(fuzzing))]
fn main() {
    eprintln!("This was built without a fuzzer; run it with: cargo xtask fuzz 1 parse");
    std::process::exit(2);
}
