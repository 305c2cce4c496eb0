//! How long the agent's walk of a stack takes: again from the same place, where the walk before only
//! has to be checked; from nothing, with every rule in the cache; and after a `dlclose`, when all have
//! to be read anew from the tables. `cargo bench -p unfreed-agent`; `cargo bench
//! --bench agent` of the whole project runs it, too.

/// Runs the benchmarks of this file.
pub fn main() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    linux::measure();
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use std::hint::black_box;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use divan::Bencher;
    use unfreed_agent::unwind::{
        FIRST_STACK_END, MAX_DEPTH, Registers, Trail, generation, new_generation, walk,
    };

    pub fn measure() {
        FIRST_STACK_END.store(first_stack_end(), Ordering::Relaxed);
        divan::Divan::default().color(false).max_time(Duration::from_secs(1)).run_benches();
    }

    /// Where the first thread's stack ends, which the agent learns when it starts.
    fn first_stack_end() -> u64 {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        let line = maps.lines().find(|line| line.ends_with("[stack]"));
        let end = line.and_then(|line| line.split(['-', ' ']).nth(1));
        end.and_then(|end| u64::from_str_radix(end, 16).ok()).unwrap_or(0)
    }

    /// What the unwinding of [`enter`]'s caller found: how many frames.
    extern "C" fn entered(trail: &mut Trail, sp: u64, bp: u64) -> usize {
        black_box(walk(Registers { sp, bp }, MAX_DEPTH, generation(), trail, |_| true));
        trail.depth()
    }

    /// Stands where the agent's malloc stands: hands on the registers as they are at its entry.
    #[unsafe(naked)]
    extern "C" fn enter(trail: &mut Trail) -> usize {
        core::arch::naked_asm!(
            ".cfi_startproc",
            "mov rsi, rsp",
            "mov rdx, rbp",
            "jmp {entered}",
            ".cfi_endproc",
            entered = sym entered,
        )
    }

    /// Calls this many frames further in.
    #[inline(never)]
    fn descend(levels: usize, work: &mut dyn FnMut()) {
        if levels == 0 {
            work()
        } else {
            descend(levels - 1, work)
        }
        // Else the call would become a jump, and leave no frame.
        black_box(());
    }

    fn bench(bencher: Bencher<'_, '_>, depth: usize, before: fn(&mut Trail)) {
        let mut bencher = Some(bencher);
        descend(depth, &mut || {
            let mut trail = Trail::empty();
            let found = enter(&mut trail);
            assert!(found >= depth, "only {found} frames of {depth}");
            let Some(bencher) = bencher.take() else { return };
            bencher.bench_local(|| {
                before(&mut trail);
                enter(black_box(&mut trail))
            });
        });
    }

    #[divan::bench(args = [4, 16, 64])]
    fn again(bencher: Bencher<'_, '_>, depth: usize) {
        bench(bencher, depth, |_| {});
    }

    #[divan::bench(args = [4, 16, 64])]
    fn from_nothing(bencher: Bencher<'_, '_>, depth: usize) {
        bench(bencher, depth, Trail::forget);
    }

    #[divan::bench(args = [4, 16, 64])]
    fn after_dlclose(bencher: Bencher<'_, '_>, depth: usize) {
        bench(bencher, depth, |_| {
            new_generation();
        });
    }
}
