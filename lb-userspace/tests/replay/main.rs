//! `modlb replay`: captures of every kind, through the loaded program and without it.

#[path = "../support/mod.rs"]
mod support;

mod capture;
