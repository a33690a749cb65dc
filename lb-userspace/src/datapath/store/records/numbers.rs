//! Enumerations ↔ numbers in records. One row defines both directions.
//!
//! Trap: the numbers are part of the ABI (`lb_common::abi`). A row may be added; a number in use never changes.

use crate::config::model::{Direction, Formula, Fragments, Initial, Kind, Method, Missing, Role};

macro_rules! numbers {
    ($($(#[$doc:meta])* $encode:ident, $decode:ident: $type:ty as $number_type:ty
        { $($number:literal => $value:path,)+ })+) => {
        $(
            $(#[$doc])*
            pub const fn $encode(value: $type) -> $number_type {
                match value {
                    $($value => $number,)+
                }
            }

            #[doc = concat!("The reverse of [`", stringify!($encode), "`]; `None`: no version of this ABI writes it.")]
            pub const fn $decode(number: $number_type) -> Option<$type> {
                match number {
                    $($number => Some($value),)+
                    _ => None,
                }
            }
        )+
    };
}

numbers! {
    /// A role, in the record of the instance.
    role_number, role: Role as u32 {
        0 => Role::Balancer,
        1 => Role::Member,
        2 => Role::Steer,
        3 => Role::Keep,
    }
    /// A formula.
    formula_number, formula: Formula as u8 {
        3 => Formula::ThreeTuple,
        5 => Formula::FiveTuple,
    }
    /// The handling of fragments.
    fragments_number, fragments: Fragments as u8 {
        0 => Fragments::Pass,
        1 => Fragments::Balance,
    }
    /// Which packets of a flow are taken.
    direction_number, direction: Direction as u8 {
        1 => Direction::Forward,
        2 => Direction::Reply,
        3 => Direction::Both,
    }
    /// The kind of a check; 0 is none.
    kind_number, kind: Kind as u8 {
        1 => Kind::Tcp,
        2 => Kind::Http,
        3 => Kind::Https,
        4 => Kind::Icmp,
    }
    /// The method of a check's requests.
    method_number, method: Method as u8 {
        0 => Method::Get,
        1 => Method::Head,
        2 => Method::Options,
    }
    /// What counts for a new server.
    initial_number, initial: Initial as u8 {
        0 => Initial::Up,
        1 => Initial::Down,
    }
    /// Why a server cannot be reached.
    missing_number, missing: Missing as u8 {
        0 => Missing::NoAnswer,
        1 => Missing::NoRoute,
        2 => Missing::Router,
        3 => Missing::NotAttached,
        4 => Missing::LinkDown,
        5 => Missing::SmallMtu,
        6 => Missing::NoRedirect,
        7 => Missing::OwnMac,
    }
}
