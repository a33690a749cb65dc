//! A capture through the datapath, attached to nothing: what would have happened to each packet.

pub mod capture;
