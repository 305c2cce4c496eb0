//! Any events: every kind, every field, any value that the vocabulary allows.

use std::ops::Range;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use unfreed::event::*;
use unfreed::read::trace::{Header, Writer};
use unfreed_symbols::{ModuleIdentity, Package, PackageManager, PdbId, PeFacts};

/// Events that name no stack before it is defined. Times mostly go forward, by any step.
pub fn events(count: Range<usize>) -> impl Strategy<Value = Vec<Event>> {
    let one = (number(), 0_u32..3, prop_oneof![0_u32..4, any::<u32>()], what());
    vec(one, count).prop_map(|drawn| {
        let (mut time, mut next) = (0_u64, StackId::FIRST.0);
        let place = |(passed, process, thread, mut what): (u64, u32, u32, What)| {
            time = time.wrapping_add(passed);
            if let Some(stack) = stack_of(&mut what) {
                stack.0 %= next;
            }
            next += u32::from(matches!(what, What::Stack(_)));
            Event { time: Time(time), process: ProcessId(process), thread: Tid(thread), what }
        };
        drawn.into_iter().map(place).collect()
    })
}

/// A trace with a chunk for every `chunk` events.
pub fn chunked(events: &[Event], chunk: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, &Header::default()).unwrap();
    for events in events.chunks(chunk) {
        for event in events {
            writer.write(event).unwrap();
        }
        writer.flush().unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// The stack that an event names.
pub fn stack_of(what: &mut What) -> Option<&mut StackId> {
    match what {
        What::Alloc(alloc) => Some(&mut alloc.stack),
        What::Free(free) => Some(&mut free.stack),
        What::Realloc(realloc) => Some(&mut realloc.stack),
        What::FreedBefore(before) => Some(&mut before.stack),
        What::Stack(node) => Some(&mut node.caller),
        What::HeapCreate(create) => Some(&mut create.stack),
        What::Tally(tally) => Some(&mut tally.stack),
        What::Snapshot(snapshot) => Some(&mut snapshot.stack),
        What::Reach(reach) => Some(&mut reach.stack),
        What::Exception(exception) => Some(&mut exception.stack),
        _ => None,
    }
}

/// Numbers of every length.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift)
}

fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        (0_u64..1000).prop_map(|n| Address(0x5555_0000_0000 + 16 * n)),
        number().prop_map(Address)
    ]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    number().prop_map(Bytes)
}

fn heap() -> impl Strategy<Value = HeapId> {
    prop_oneof![Just(HeapId::DEFAULT), number().prop_map(HeapId)]
}

fn stack() -> impl Strategy<Value = StackId> {
    any::<u32>().prop_map(StackId)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z.:!\u{e9}\u{20ac}]{1,20}", "\\PC{0,200}"]
}

fn function() -> impl Strategy<Value = Function> {
    use Function::*;
    select(vec![
        Unknown,
        Malloc,
        Calloc,
        Realloc,
        Reallocarray,
        PosixMemalign,
        AlignedAlloc,
        Memalign,
        Valloc,
        Pvalloc,
        New,
        NewArray,
        Free,
        Delete,
        DeleteArray,
        RtlAllocateHeap,
        RtlReAllocateHeap,
        RtlFreeHeap,
        VirtualAlloc,
        VirtualFree,
        Mmap,
        Munmap,
        RtlCreateHeap,
        RtlDestroyHeap,
    ])
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        // Boxed: all in one are too large for a test's stack.
        8 => hot().boxed(),
        4 => node().prop_map(What::Stack).boxed(),
        2 => target().boxed(),
        2 => measure().boxed(),
    ]
}

fn hot() -> impl Strategy<Value = What> {
    let place = (address(), stack(), function(), heap());
    prop_oneof![
        (place, bytes()).prop_map(|((address, stack, function, heap), size)| {
            What::Alloc(Alloc { address, size, stack, function, heap })
        }),
        (address(), stack(), function(), heap()).prop_map(|(address, stack, function, heap)| {
            What::Free(Free { address, stack, function, heap })
        }),
        (address(), address(), bytes(), stack(), function(), heap()).prop_map(
            |(old, new, size, stack, function, heap)| {
                What::Realloc(Realloc { old, new, size, stack, function, heap })
            }
        ),
    ]
}

fn node() -> impl Strategy<Value = StackNode> {
    let trust = select(vec![
        Trust::Context,
        Trust::Table,
        Trust::FramePointer,
        Trust::Recorded,
        Trust::Code,
        Trust::Named,
    ]);
    (stack(), option::of(any::<u32>()), number(), trust).prop_map(
        |(caller, module, offset, trust)| StackNode {
            caller,
            frame: Frame { module: module.map(ModuleId), offset, trust },
        },
    )
}

/// A sampled process's mean distance.
fn mean() -> impl Strategy<Value = Option<u64>> {
    option::of(1..=u64::MAX)
}

fn target() -> impl Strategy<Value = What> {
    let exit = prop_oneof![
        any::<i32>().prop_map(Exit::Status),
        any::<i32>().prop_map(Exit::Signal),
        Just(Exit::Unknown),
        Just(Exit::Replaced),
        Just(Exit::StillRunning),
    ];
    prop_oneof![
        module().prop_map(|module| What::Module(Box::new(module))),
        address().prop_map(What::ModuleUnload),
        (any::<u32>(), any::<u32>(), text(), vec(text(), 0..5), any::<bool>(), mean()).prop_map(
            |(pid, parent, name, command, from_start, sampled)| {
                let sampled = sampled.map(Bytes);
                let process = Process { pid, parent, name, command, from_start, sampled };
                What::Process(Box::new(process))
            }
        ),
        exit.prop_map(What::ProcessExit),
        text().prop_map(|name| What::Thread(name.into())),
        Just(What::ThreadExit),
        (heap(), stack()).prop_map(|(heap, stack)| What::HeapCreate(HeapCreate { heap, stack })),
        heap().prop_map(What::HeapDestroy),
        name().prop_map(|name| What::Name(Box::new(name))),
        (address(), 0_u32..4, stack(), number()).prop_map(|(address, site, stack, freed)| {
            let (site, freed) = (StackId(site), Time(freed));
            What::FreedBefore(Box::new(FreedBefore { address, site, stack, freed }))
        }),
    ]
}

fn module() -> impl Strategy<Value = Module> {
    let pdb =
        (text(), any::<u32>(), text()).prop_map(|(guid, age, name)| PdbId { guid, age, name });
    let managers = vec![PackageManager::Dpkg, PackageManager::Rpm, PackageManager::Note];
    let package = (select(managers), text(), text(), option::of(text()), option::of(text()))
        .prop_map(|(manager, name, version, architecture, distribution)| Package {
            manager,
            name,
            version,
            architecture,
            distribution,
        });
    let pe = (any::<u32>(), any::<u32>(), option::of(text()), option::of(text())).prop_map(
        |(timestamp, image_size, product_version, company)| PeFacts {
            timestamp,
            image_size,
            product_version,
            company,
        },
    );
    let identity = (
        (text(), text(), option::of(text()), option::of(text()), option::of(text())),
        (option::of(pdb), option::of(package), option::of(number()), option::of(pe)),
    )
        .prop_map(
            |((name, path, soname, build_id, file_version), (pdb, package, file_size, pe))| {
                ModuleIdentity {
                    name,
                    path,
                    soname,
                    build_id,
                    file_version,
                    pdb,
                    package,
                    file_size,
                    pe,
                }
            },
        );
    (any::<u32>(), identity, address(), bytes()).prop_map(|(id, identity, base, size)| Module {
        id: ModuleId(id),
        identity,
        base,
        size,
    })
}

fn name() -> impl Strategy<Value = Name> {
    let function = (text(), option::of(text()), option::of(any::<u32>()))
        .prop_map(|(function, file, line)| NamedFunction { function, file, line });
    (any::<u32>(), number(), vec(function, 0..4)).prop_map(|(module, offset, functions)| Name {
        module: ModuleId(module),
        offset,
        functions,
    })
}

fn measure() -> impl Strategy<Value = What> {
    let lost = select(vec![
        Lost::Allocations,
        Lost::Frees,
        Lost::Stacks,
        Lost::Events,
        Lost::Bytes,
        Lost::Libraries,
    ]);
    let metric = select(vec![
        Metric::Rss,
        Metric::PrivateBytes,
        Metric::VirtualBytes,
        Metric::Handles,
        Metric::Threads,
        Metric::CpuTime,
        Metric::HeapCommitted,
        Metric::ManagedHeap,
    ]);
    let kind = select(vec![
        FactKind::Setting,
        FactKind::Package,
        FactKind::Product,
        FactKind::System,
        FactKind::Capture,
        FactKind::NotTraced,
        FactKind::FreesUnseen,
        FactKind::AllocationsUnseen,
        FactKind::ListsSome,
        FactKind::SeenLate,
    ]);
    prop_oneof![
        (lost, number()).prop_map(|(what, count)| What::Loss(Loss { what, count })),
        (text(), option::of(number()))
            .prop_map(|(text, count)| What::Mark(Box::new(Mark { text, count }))),
        tally().prop_map(|tally| What::Tally(Box::new(tally))),
        (any::<u32>(), stack(), number(), bytes()).prop_map(|(number, stack, blocks, bytes)| {
            What::Snapshot(Box::new(Snapshot { number, stack, blocks, bytes }))
        }),
        (metric, number()).prop_map(|(metric, value)| What::Sample(Sample { metric, value })),
        (kind, text(), option::of(text())).prop_map(|(kind, subject, value)| {
            What::Fact(Box::new(Fact { kind, subject, value }))
        }),
        Just(What::Epoch),
        (number(), bytes(), any::<[bool; 2]>(), option::of(text()), unread()).prop_map(
            |(stopped, read, [whole, exact], failed, unread)| {
                let stopped = Time(stopped);
                What::Scan(Box::new(Scan { stopped, read, whole, failed, unread, exact }))
            }
        ),
        reach().prop_map(|reach| What::Reach(Box::new(reach))),
        (any::<u32>(), address(), stack()).prop_map(|(code, address, stack)| {
            What::Exception(Exception { code, address, stack })
        }),
    ]
}

fn unread() -> impl Strategy<Value = Unread> {
    (bytes(), bytes(), option::of(text())).prop_map(|(own, shared, what)| Unread {
        own,
        shared,
        what,
    })
}

fn reach() -> impl Strategy<Value = Reach> {
    let kind = select(vec![
        RootKind::Global,
        RootKind::ThreadLocal,
        RootKind::Mapping,
        RootKind::Untold,
        RootKind::Stack,
        RootKind::Register,
    ]);
    let root = (kind, option::of(any::<u32>()), number()).prop_map(|(kind, module, offset)| Root {
        kind,
        module: module.map(ModuleId),
        offset,
    });
    (stack(), number(), option::of(root), number(), bytes(), number()).prop_map(
        |(stack, born, root, blocks, bytes, interior)| Reach {
            stack,
            born: Time(born),
            root,
            blocks,
            bytes,
            interior,
        },
    )
}

fn tally() -> impl Strategy<Value = Tally> {
    let counts = (number(), bytes(), number(), bytes());
    let how = (vec(number(), 0..=64), number(), option::of((bytes(), bytes())), any::<bool>());
    (stack(), number(), counts, how).prop_map(
        |(
            stack,
            since,
            (allocated, allocated_bytes, freed, freed_bytes),
            (lifetimes, resolution, sizes, estimated),
        )| {
            Tally {
                stack,
                since: Time(since),
                allocated,
                allocated_bytes,
                freed,
                freed_bytes,
                sizes,
                lifetimes,
                resolution: Time(resolution),
                estimated,
            }
        },
    )
}
