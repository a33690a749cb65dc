//! What is known of the kernel's helpers and maps, on numbers and on terms.

/// `bpf_get_smp_processor_id`.
pub const CPU: i32 = 8;

/// `bpf_xdp_get_buff_len`.
pub const LENGTH: i32 = 188;

/// `bpf_map_lookup_elem`.
pub const LOOK_UP: i32 = 1;

/// `bpf_xdp_adjust_head`.
pub const MOVE_START: i32 = 44;

/// The shortest frame that its start may be moved to leave.
pub const SHORTEST: u64 = 14;

/// `-EINVAL`.
pub const REFUSED: u64 = -22_i64 as u64;

/// `bpf_redirect_map`.
pub const REDIRECT: i32 = 51;

/// The map of devices.
pub const DEVICES: &str = "DEVICES";

/// What it returns if the device is there.
pub const XDP_REDIRECT: u64 = 4;

/// Where a frame goes is recorded as a store to this table, so that it is compared as stores are.
pub const REDIRECTION: &str = "redirection";

/// Numbers of the object that user space sets and freezes when it loads a program. They are read as tables are.
pub const GLOBALS: [&str; 1] = ["GROUP_MAC"];

/// Maps that programs look entries up in, and the bytes of an entry.
pub const LOOKED_UP: [(&str, u64); 1] = [("REMOTES", 24)];

/// What a function of the program is handed in one register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Argument {
    Number,
    /// The context. The packet's bytes are an argument as well, and the same for all calls: nothing was written to it.
    Context,
    /// A pointer to so many bytes of the caller's stack, a multiple of 8. What is there is the argument.
    #[cfg_attr(not(test), expect(dead_code, reason = "no function of the list is handed a pointer so far"))]
    Stack(u32),
}

/// A function of the program that is not looked into where it is called: it returns any number, the same for the same
/// arguments, and writes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub name: &'static str,
    /// Its symbol, or a part of it where the compiler chooses the rest.
    pub symbol: Symbol,
    pub arguments: &'static [Argument],
}

#[derive(Clone, Copy, Debug)]
pub enum Symbol {
    Name,
    Part(&'static str),
}

const NUMBERS: [Argument; 5] = [Argument::Number; 5];

const fn of_numbers(name: &'static str, count: usize) -> Function {
    Function { name, symbol: Symbol::Name, arguments: NUMBERS.split_at(count).0 }
}

/// All of them, with their signatures in `lb-ebpf/src`. What they return is proven,
/// see [`crate::functions`].
pub const FUNCTIONS: [Function; 7] = [
    of_numbers("modlb_search", 4),
    of_numbers("modlb_search_address", 4),
    of_numbers("modlb_search_prefix", 4),
    of_numbers("modlb_search_length", 5),
    of_numbers("modlb_longest", 4),
    of_numbers("modlb_probe", 5),
    Function {
        name: WALK,
        symbol: Symbol::Part("11ext_headers4walk"),
        arguments: &[Argument::Context, Argument::Number, Argument::Number, Argument::Number, Argument::Number],
    },
];

/// The walk over IPv6 extension headers.
pub const WALK: &str = "ext_headers::walk";

/// The contract of the function with this symbol.
pub fn function(symbol: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| match function.symbol {
        Symbol::Name => function.name == symbol,
        Symbol::Part(part) => symbol.contains(part),
    })
}
