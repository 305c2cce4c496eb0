//! The ledger: live blocks and, per site, counts, bytes, lifetimes and growth.
