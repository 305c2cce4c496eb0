//! Recording: what happens around a real allocator function.
//!
//! An allocation is recorded after the real call and a free before it, a realloc on both sides: so no
//! address is ever taken before it was given back. A block goes into the table of young blocks, and
//! if it is freed from there only counted; what the table cannot hold goes into the ring. Whatever is
//! called from inside one of these is let through unrecorded, see [`crate::thread`].

use core::sync::atomic::Ordering::Relaxed;

use unfreed_wire::{Kind, RecordHeader, Size, words};

use crate::claim;
use crate::clock::stamp;
use crate::define::stack_hash;
use crate::real::cxx::is_operator_s;
use crate::ring::{Need, Ring};
use crate::session::{Joined, joined};
use crate::tally::Died;
use crate::thread::{Entry, Thread, Wrapping, this_thread};
use crate::tid::thread_id;
use crate::unwind::{Registers, return_address};
use crate::young::{Block, Found, Inserted, Place};

/// The number of an allocator function in the event vocabulary (`event::Function`).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the function it is named after")]
pub enum Function {
    Malloc = 1,
    Calloc = 2,
    Realloc = 3,
    Reallocarray = 4,
    PosixMemalign = 5,
    AlignedAlloc = 6,
    Memalign = 7,
    Valloc = 8,
    Pvalloc = 9,
    New = 10,
    NewArray = 11,
    Free = 12,
    Delete = 13,
    DeleteArray = 14,
}

/// Records a block that a real function has just returned.
#[inline(always)]
pub fn allocated(block: *mut u8, size: usize, function: Function, registers: Registers) {
    let Some(session) = joined() else { return };
    if block.is_null() {
        return;
    }
    let thread = this_thread();
    let passes = |size: usize| {
        // SAFETY: this thread's own storage.
        unsafe { (*thread).is_outside() && (*thread).countdown.passes(size as u64) }
    };
    if session.samples() && passes(size) {
        return;
    }
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Nothing) } {
        Entry::Outermost => {
            append_alloc(thread, session, block, size, function, registers);
            // SAFETY: as above.
            unsafe { (*thread).leave() };
        }
        Entry::NestedInOperator if !is_operator_s(return_address(registers)) => {
            // SAFETY: as above.
            let interrupted = unsafe { (*thread).interrupt(registers.sp) };
            append_alloc(thread, session, block, size, function, registers);
            // SAFETY: as above.
            unsafe {
                (*thread).block = block as u64;
                (*thread).resume(interrupted);
            }
        }
        Entry::Nested | Entry::NestedInOperator => {}
        Entry::Reentrant => count_reentrant(thread, session, false),
    }
}

/// Records a block that is about to be freed, then frees it with `real`.
#[inline(always)]
pub fn freeing(block: *mut u8, function: Function, registers: Registers, real: impl FnOnce()) {
    let Some(session) = joined() else { return real() };
    if session.samples() && !is_told(session, block) {
        return real();
    }
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Nothing) } {
        Entry::Outermost => {
            append_free(thread, session, block, function, registers);
            // The C++ functions call `free`, which must not be recorded again.
            if function == Function::Free {
                // SAFETY: as above.
                unsafe { (*thread).leave() };
                real();
            } else {
                // SAFETY: as above.
                unsafe {
                    (*thread).enter(registers, Wrapping::Operator);
                    (*thread).block = block as u64;
                    real();
                    (*thread).leave();
                }
            }
        }
        // The block being deleted is freed on the way; any other has nothing to do with it.
        // SAFETY: as above.
        Entry::NestedInOperator if unsafe { (*thread).block } != block as u64 => {
            // SAFETY: as above.
            let interrupted = unsafe { (*thread).interrupt(registers.sp) };
            append_free(thread, session, block, function, registers);
            // SAFETY: as above.
            unsafe { (*thread).resume(interrupted) };
            real();
        }
        Entry::Nested | Entry::NestedInOperator => real(),
        Entry::Reentrant => {
            count_reentrant(thread, session, true);
            real();
        }
    }
}

/// Runs a real function that may call other allocator functions, and records its block.
#[inline(always)]
pub fn allocating(
    size: usize,
    function: Function,
    registers: Registers,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let entered = enter_wrapped(registers, Wrapping::Function);
    let block = real();
    if entered != Entered::Not {
        leave_wrapped(block, size, function, registers, entered);
    }
    block
}

/// How a real function that may call others was entered.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Entered {
    /// As part of another: nothing is to be recorded.
    Not = 0,
    /// With the guard set. [`leave_wrapped`] must follow.
    Outermost = 1,
    /// Called by what a C++ operator calls, a new-handler say. [`leave_wrapped`] must follow.
    Inside = 2,
}

/// Sets the guard for a real function that may call others.
pub(crate) fn enter_wrapped(registers: Registers, wrapping: Wrapping) -> Entered {
    let Some(session) = joined() else { return Entered::Not };
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, wrapping) } {
        Entry::Outermost => Entered::Outermost,
        Entry::NestedInOperator if !is_operator_s(return_address(registers)) => Entered::Inside,
        Entry::Nested | Entry::NestedInOperator => Entered::Not,
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            Entered::Not
        }
    }
}

/// Records what the real function returned and puts the guard back as it was.
pub(crate) fn leave_wrapped(
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
    entered: Entered,
) {
    let thread = this_thread();
    // SAFETY: this thread's own storage.
    let (interrupted, last) = unsafe {
        let interrupted = (entered == Entered::Inside).then(|| (*thread).interrupt(registers.sp));
        if interrupted.is_none() {
            (*thread).unwrap_entry();
        }
        (interrupted, (*thread).block)
    };
    // Another library's malloc stands between the operator and ours, and what it was given has been
    // recorded under its own name.
    let recorded = last == block as u64;
    if let (Some(session), false) = (joined(), block.is_null() || recorded) {
        append_alloc(thread, session, block, size, function, registers);
    }
    // SAFETY: as above.
    unsafe {
        match interrupted {
            Some(interrupted) => {
                (*thread).block = block as u64;
                (*thread).resume(interrupted);
            }
            None => (*thread).leave(),
        }
    }
}

/// An exception passes through a wrapped function: the guard goes with it.
pub fn abandon_wrapped() {
    // SAFETY: this thread's own storage.
    unsafe { (*this_thread()).leave() };
}

/// Runs a real `realloc` of a block that is not NULL, and records both halves.
#[inline(always)]
pub fn reallocating(
    old: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
    real: impl FnOnce() -> *mut u8,
) -> *mut u8 {
    let Some(session) = joined() else { return real() };
    let thread = this_thread();
    let told = !session.samples() || is_told(session, old);
    // SAFETY: this thread's own storage.
    if !told && unsafe { (*thread).is_outside() && (*thread).countdown.passes(size as u64) } {
        return real();
    }
    // SAFETY: this thread's own storage.
    match unsafe { (*thread).enter(registers, Wrapping::Function) } {
        Entry::Outermost => {}
        Entry::NestedInOperator if !is_operator_s(return_address(registers)) => {
            // What a new-handler resizes: rare enough to be only counted.
            count_reentrant(thread, session, true);
            count_reentrant(thread, session, false);
            return real();
        }
        Entry::Nested | Entry::NestedInOperator => return real(),
        Entry::Reentrant => {
            count_reentrant(thread, session, false);
            return real();
        }
    }
    // SAFETY: this thread's own storage; nobody else holds a reference to it. The ring stays
    // open, and so unread stamps are known of, until both halves are written.
    let ring = claim::open(unsafe { &mut *thread }, session);
    let given_up = ring.as_ref().map(|ring| told.then(|| GivenUp::take(ring, old, registers)));
    let new = real();
    // SAFETY: as above.
    unsafe { (*thread).unwrap_entry() };
    match (ring, given_up) {
        (Some(ring), Some(given_up)) => {
            match given_up {
                Some(given_up) if session.samples() => {
                    if !new.is_null() || size == 0 {
                        given_up.freed(&ring, function);
                    }
                    sample_alloc(&ring, thread, new, size, function, registers);
                }
                Some(given_up) if !new.is_null() => {
                    given_up.resized(&ring, new, size, function, registers);
                }
                Some(given_up) if size == 0 => given_up.freed(&ring, function),
                Some(given_up) => given_up.kept(&ring),
                None => sample_alloc(&ring, thread, new, size, function, registers),
            }
            ring.close();
        }
        _ => count_unclaimed(session, true, !new.is_null()),
    }
    // SAFETY: as above.
    unsafe { (*thread).leave() };
    new
}

/// Whether the collector may know this block, where it knows a sample.
#[inline(always)]
fn is_told(session: Joined, block: *mut u8) -> bool {
    session.place(block).is_none_or(Place::may_be_told)
}

/// Records a block if it is part of the sample.
fn sample_alloc(
    ring: &Ring,
    thread: *mut Thread,
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    // SAFETY: this thread's own storage; nobody else holds a reference to it.
    if block.is_null() || !ring.session.draws(unsafe { &mut *thread }, size) {
        return;
    }
    let stack = stack_hash(ring, registers);
    let place = ring.session.place(block);
    if let Some(place) = place {
        place.will_be_told(ring.session.told_word());
    }
    let stamp = told_stamp(ring, place, stamp(ring.session));
    tell_alloc(ring, stamp, block, size as u64, stack, function as u8);
}

/// A block that was given to `realloc`: from then on its address may be somebody else's.
struct GivenUp {
    address: *mut u8,
    place: Option<Place>,
    /// The block, if it was young.
    young: Option<Block>,
    /// What was freed there before, if it was.
    earlier: Option<Earlier>,
    stamp: u64,
    /// Where `realloc` was called from.
    from: u64,
}

impl GivenUp {
    #[inline(always)]
    fn take(ring: &Ring, address: *mut u8, registers: Registers) -> GivenUp {
        let from = return_address(registers);
        let now = stamp(ring.session);
        let place = ring.young().place(address as u64, ring.session.process);
        match place.map(|place| ring.young().take(place, now, from)) {
            Some(Found::Young(block)) => {
                GivenUp { address, place, young: Some(block), earlier: None, stamp: now, from }
            }
            found => {
                let earlier = match found {
                    Some(Found::FreedBefore(block)) => {
                        Some(Earlier { block, stack: stack_hash(ring, registers) })
                    }
                    _ => None,
                };
                // Anew: a definition may have come in between.
                let stamp = told_stamp(ring, place, stamp(ring.session));
                give_back(ring.session, place);
                GivenUp { address, place, young: None, earlier, stamp, from }
            }
        }
    }

    /// It became another block, in place or elsewhere.
    #[inline(always)]
    fn resized(
        self,
        ring: &Ring,
        new: *mut u8,
        size: usize,
        function: Function,
        registers: Registers,
    ) {
        if self.young.is_some() || new != self.address {
            self.freed(ring, function);
            return record_alloc(ring, new, size, function, registers);
        }
        let hash = stack_hash(ring, registers);
        let now = stamp(ring.session);
        let after = told_stamp(ring, self.place, now);
        let header = RecordHeader {
            kind: Kind::Realloc as u8,
            function: function as u8,
            words: words::REALLOC as u16,
            detail: 0,
        };
        let address = new as u64;
        let record = [header.pack(), self.stamp, after, address, address, size as u64, hash];
        if !ring.append(&record, Need::Other) {
            ring.counters().lost_allocations.fetch_add(1, Relaxed);
            tell_free(ring, self.stamp, new, function);
        }
    }

    /// It is no more.
    #[inline(always)]
    fn freed(&self, ring: &Ring, function: Function) {
        if let Some(block) = self.young {
            return count_young(ring, block, self.stamp);
        }
        if let Some(earlier) = self.earlier {
            return tell_again(ring, self.stamp, self.address, function, earlier);
        }
        // Only now that it moved: of a block that stays, a tombstone would be wrong.
        if let Some(place) = self.place.filter(|_| !ring.session.samples()) {
            ring.young().bury(place, self.stamp, self.from);
        }
        tell_free(ring, self.stamp, self.address, function);
    }

    /// The program keeps it after all.
    #[cold]
    fn kept(self, ring: &Ring) {
        let Some(place) = self.place else { return };
        let Some(block) = self.young else {
            if ring.session.pairs() {
                place.is_told_again();
            }
            return;
        };
        if !matches!(ring.young().insert(place, block), Inserted::Here) {
            let Block { stamp, stack, size, function } = block;
            let stamp = place.told_stamp(stamp);
            tell_alloc(ring, stamp, self.address, size.bytes(), stack, function);
        }
    }
}

#[inline(always)]
fn append_alloc(
    thread: *mut Thread,
    session: Joined,
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    // SAFETY: this thread's own storage; nobody else holds a reference to it.
    let Some(ring) = claim::open(unsafe { &mut *thread }, session) else {
        return count_unclaimed(session, false, true);
    };
    if session.samples() {
        sample_alloc(&ring, thread, block, size, function, registers);
    } else {
        record_alloc(&ring, block, size, function, registers);
    }
    ring.close();
}

#[inline(always)]
fn record_alloc(
    ring: &Ring,
    block: *mut u8,
    size: usize,
    function: Function,
    registers: Registers,
) {
    let stack = stack_hash(ring, registers);
    let function = function as u8;
    let now = stamp(ring.session);
    let place = ring.young().place(block as u64, ring.session.process);
    if ring.session.pairs()
        && let (Some(place), Some(size)) = (place, Size::new(size as u64, thread_id()))
    {
        let block_there = Block { stamp: now, stack, size, function };
        match ring.young().insert(place, block_there) {
            Inserted::Here => return,
            Inserted::Not => {}
            Inserted::Displacing(old) => {
                tell_alloc(ring, old.stamp, block, old.size.bytes(), old.stack, old.function);
            }
        }
    }
    if let Some(place) = place {
        ring.young().exhume(place);
    }
    let stamp = told_stamp(ring, place, now);
    tell_alloc(ring, stamp, block, size as u64, stack, function);
}

/// A block that was told is freed: its address is nothing special any more.
#[inline(always)]
fn give_back(session: Joined, place: Option<Place>) {
    if let (Some(place), true) = (place, session.pairs()) {
        place.is_told_no_more();
    }
}

/// The stamp of what is told of an address.
fn told_stamp(ring: &Ring, place: Option<Place>, now: u64) -> u64 {
    let newest = &ring.counters().newest;
    let now = now.max(newest.load(Relaxed));
    let stamp = place.map_or(now, |place| place.told_stamp(now));
    newest.store(stamp, Relaxed);
    stamp
}

#[cold]
#[inline(never)]
fn tell_alloc(ring: &Ring, stamp: u64, block: *mut u8, size: u64, hash: u64, function: u8) {
    let header =
        RecordHeader { kind: Kind::Alloc as u8, function, words: words::ALLOC as u16, detail: 0 };
    if !ring.append(&[header.pack(), stamp, block as u64, size, hash], Need::Other) {
        ring.counters().lost_allocations.fetch_add(1, Relaxed);
    }
}

#[inline(always)]
fn append_free(
    thread: *mut Thread,
    session: Joined,
    block: *mut u8,
    function: Function,
    registers: Registers,
) {
    // SAFETY: as in `append_alloc`.
    let Some(ring) = claim::open(unsafe { &mut *thread }, session) else {
        return count_unclaimed(session, true, false);
    };
    let now = stamp(session);
    let from = return_address(registers);
    match ring.young().place(block as u64, session.process) {
        None => tell_free(&ring, told_stamp(&ring, None, now), block, function),
        Some(place) => match ring.young().take(place, now, from) {
            Found::Young(young) => count_young(&ring, young, now),
            Found::FreedBefore(earlier) => {
                // What is stamped refers to what was defined before.
                let earlier = Earlier { block: earlier, stack: stack_hash(&ring, registers) };
                let stamp = told_stamp(&ring, Some(place), stamp(session));
                give_back(session, Some(place));
                tell_again(&ring, stamp, block, function, earlier);
            }
            Found::Nothing => {
                let stamp = told_stamp(&ring, Some(place), now);
                give_back(session, Some(place));
                if !session.samples() {
                    ring.young().bury(place, stamp, from);
                }
                tell_free(&ring, stamp, block, function);
            }
        },
    }
    ring.close();
}

/// Counts a block that died young; where there is no room for its stack, says so in the ring.
#[inline(always)]
fn count_young(ring: &Ring, block: Block, now: u64) {
    let bytes = block.size.bytes();
    let lived = now.saturating_sub(block.stamp);
    if !ring.tallies().count(&Died { stack: block.stack, bytes, lived }) {
        tell_pair(ring, block, now);
    }
}

#[cold]
#[inline(never)]
fn tell_pair(ring: &Ring, block: Block, now: u64) {
    let header =
        RecordHeader { kind: Kind::Pair as u8, function: 0, words: words::PAIR as u16, detail: 0 };
    let record = [header.pack(), now, block.stack, block.size.bytes(), block.stamp];
    if !ring.append(&record, Need::Free) {
        // Neither is known: the two counts stay equal, and no block looks alive.
        ring.counters().lost_allocations.fetch_add(1, Relaxed);
        ring.counters().lost_frees.fetch_add(1, Relaxed);
    }
}

#[cold]
#[inline(never)]
fn tell_free(ring: &Ring, stamp: u64, block: *mut u8, function: Function) {
    let header = RecordHeader {
        kind: Kind::Free as u8,
        function: function as u8,
        words: words::FREE as u16,
        detail: 0,
    };
    if !ring.append(&[header.pack(), stamp, block as u64], Need::Free) {
        ring.counters().lost_frees.fetch_add(1, Relaxed);
    }
}

/// What is known of an earlier free, and the stack of the one that met its tombstone.
#[derive(Clone, Copy)]
struct Earlier {
    block: Block,
    stack: u64,
}

/// A block is freed where another was before: only then the stack of a free is worth a walk.
#[cold]
#[inline(never)]
fn tell_again(ring: &Ring, stamp: u64, block: *mut u8, function: Function, earlier: Earlier) {
    let header = RecordHeader {
        kind: Kind::Again as u8,
        function: function as u8,
        words: words::AGAIN as u16,
        detail: 0,
    };
    let Earlier { block: Block { stamp: freed, stack: site, size: from, .. }, stack } = earlier;
    if !ring.append(&[header.pack(), stamp, block as u64, stack, site, from.0, freed], Need::Free) {
        ring.counters().lost_frees.fetch_add(1, Relaxed);
    }
}

#[cold]
fn count_unclaimed(session: Joined, free: bool, allocation: bool) {
    let entry = session.entry();
    entry.lost_frees.fetch_add(free as u64, Relaxed);
    entry.lost_allocations.fetch_add(allocation as u64, Relaxed);
}

#[cold]
fn count_reentrant(thread: *mut Thread, session: Joined, free: bool) {
    // SAFETY: this thread's own storage, only read here.
    let (writer, process) = unsafe { ((*thread).writer, (*thread).process) };
    if writer == 0 || process != session.process {
        return count_unclaimed(session, free, !free);
    }
    let counters = session.writer(writer - 1);
    let counter = if free { &counters.reentrant_frees } else { &counters.reentrant_allocations };
    counter.fetch_add(1, Relaxed);
}
