//! What every object file of programs needs.

/// A panic handler and the licence, once for each binary.
#[macro_export]
macro_rules! object {
    () => {
        #[cfg(not(test))]
        #[panic_handler]
        fn panic(_info: &core::panic::PanicInfo) -> ! {
            loop {}
        }

        /// The BPF licence: the kernel lets only GPL-compatible programs call some helpers.
        #[unsafe(link_section = "license")]
        #[unsafe(no_mangle)]
        static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
    };
}
