//! The real functions of C++: every replaceable `operator new` and `operator delete`.
//!
//! They call each other and, at the bottom, `malloc` and `free`. Those calls are part of what is
//! being recorded already. Others made on the way are not: `operator new` that throws allocates
//! the exception. The return address tells the two apart.

use super::{Range, Real};

/// In the order of their stand-ins.
pub(crate) static NEW: [Real; 8] = [
    Real::new(c"_Znwm"),
    Real::new(c"_Znam"),
    Real::new(c"_ZnwmRKSt9nothrow_t"),
    Real::new(c"_ZnamRKSt9nothrow_t"),
    Real::new(c"_ZnwmSt11align_val_t"),
    Real::new(c"_ZnamSt11align_val_t"),
    Real::new(c"_ZnwmSt11align_val_tRKSt9nothrow_t"),
    Real::new(c"_ZnamSt11align_val_tRKSt9nothrow_t"),
];

/// In the order of their stand-ins.
pub(crate) static DELETE: [Real; 12] = [
    Real::new(c"_ZdlPv"),
    Real::new(c"_ZdaPv"),
    Real::new(c"_ZdlPvm"),
    Real::new(c"_ZdaPvm"),
    Real::new(c"_ZdlPvRKSt9nothrow_t"),
    Real::new(c"_ZdaPvRKSt9nothrow_t"),
    Real::new(c"_ZdlPvSt11align_val_t"),
    Real::new(c"_ZdaPvSt11align_val_t"),
    Real::new(c"_ZdlPvmSt11align_val_t"),
    Real::new(c"_ZdaPvmSt11align_val_t"),
    Real::new(c"_ZdlPvSt11align_val_tRKSt9nothrow_t"),
    Real::new(c"_ZdaPvSt11align_val_tRKSt9nothrow_t"),
];

/// Looks all of them up.
pub(crate) fn prepare() {
    NEW.iter().chain(&DELETE).for_each(Real::prepare);
}

/// This library itself.
static OWN: Range = Range::new();

/// Learns where this library itself lies.
pub(crate) fn find_own_code() {
    OWN.find(find_own_code as *const () as u64);
}

/// Whether a call that returns to this address was made by one of the operators. One that ends
/// in a jump to the next returns to its own caller, which is us.
#[inline(always)]
pub(crate) fn is_operator_s(return_address: u64) -> bool {
    NEW.iter().chain(&DELETE).any(|operator| operator.contains(return_address))
        || OWN.contains(return_address)
}
