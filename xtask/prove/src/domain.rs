//! What the machine asks of whatever it calculates with: numbers, or terms.

use std::{fmt::Debug, rc::Rc};

use crate::{
    insn::{Alu, Test},
    state::State,
    value::Value,
};

/// Why the machine does not go on.
#[derive(Clone, Debug)]
pub enum Stop<C> {
    /// The program does what no program may, or what is not known here.
    Fault(String),
    /// The instruction has to be run once where this holds and once where it does not.
    Fork(C),
    /// The solver failed; nothing is proven.
    Failed(String),
}

/// A result of the machine.
pub type Step<T, D> = Result<T, Stop<<D as Domain>::Condition>>;

/// A byte of the packet.
#[derive(Clone, Debug)]
pub enum Place<N> {
    At(u64),
    /// It depends on the packet.
    Somewhere(N),
}

/// Numbers of 64 bits, and the world that a program finds. A byte is a number as well; where terms have widths, its
/// is 8.
pub trait Domain {
    type Number: Clone + Debug + PartialEq;
    type Condition: Clone + Debug;

    fn constant(&mut self, value: u64) -> Self::Number;

    /// The number that it is, if it can only be one and that is plain.
    fn known(&self, number: &Self::Number) -> Option<u64>;

    /// Of 64 bits, or of the lower 32 with zeros above.
    fn arithmetic(&mut self, op: Alu, width: u32, a: &Self::Number, b: &Self::Number) -> Self::Number;

    /// The lowest bytes, the lowest first.
    fn bytes(&mut self, number: &Self::Number, count: u32) -> Vec<Self::Number>;

    /// The number with these lowest bytes and zeros above.
    fn join(&mut self, bytes: &[Self::Number]) -> Self::Number;

    fn compare(&mut self, test: Test, width: u32, a: &Self::Number, b: &Self::Number) -> Self::Condition;

    /// What a symbol stands for.
    fn symbol(&mut self, name: &Rc<str>) -> Step<Value<Self::Number>, Self>
    where
        Self: Sized;

    /// So many bytes of the context.
    fn context(&mut self, offset: u64, size: u32) -> Step<Value<Self::Number>, Self>
    where
        Self: Sized;

    /// Which byte of the packet this is, if it and those behind it are all within the packet.
    fn place(&mut self, at: &Self::Number, size: u32) -> Step<Place<Self::Number>, Self>
    where
        Self: Sized;

    /// A byte of the packet as it came.
    fn packet_byte(&mut self, at: u64) -> Self::Number;

    /// The same where only a term says which byte it is.
    fn frame_byte(&mut self, at: Self::Number) -> Self::Number;

    /// Fails unless the packet's start plus this does not wrap around.
    fn does_not_wrap(&mut self, at: &Self::Number) -> Step<(), Self>
    where
        Self: Sized;

    /// A byte of a table as the program found it.
    fn table_byte(&mut self, table: &Rc<str>, address: &Self::Number) -> Step<Self::Number, Self>
    where
        Self: Sized;

    /// Fails unless these bytes lie within the table.
    fn within_table(&mut self, table: &Rc<str>, at: &Self::Number, size: u32) -> Step<(), Self>
    where
        Self: Sized;

    /// Whether two ranges of a table have no byte in common in any case.
    fn are_apart(&mut self, a: (&Self::Number, u32), b: (&Self::Number, u32)) -> Step<bool, Self>
    where
        Self: Sized;

    /// What a helper of the kernel returns. Its arguments are in the registers.
    fn helper(&mut self, number: i32, state: &mut State<Self::Number>) -> Step<Value<Self::Number>, Self>
    where
        Self: Sized;
}
