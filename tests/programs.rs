//! Runs every test program bare and checks what it claims of itself, so that an end-to-end test
//! that fails under the agent is the agent's fault.

mod support;
