#![no_std]
//! Record layouts shared by the agent, the probe and the readers.
