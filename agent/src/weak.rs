//! Symbols that not every C library has. The loader fills in 0 for one that is missing, where it
//! would refuse to load us, and with us the program, for an ordinary reference.

/// Declares `$cell`, which holds the address of the symbol `$symbol` or 0. It is to be read with
/// `read_volatile`: the compiler does not know that the loader writes it.
macro_rules! weak {
    ($symbol:literal, $cell:ident: $type:ty) => {
        core::arch::global_asm!(
            concat!(".weak ", $symbol),
            concat!(".section .data.rel.", stringify!($cell), ",\"aw\""),
            ".balign 8",
            concat!(".hidden ", stringify!($cell)),
            concat!(".globl ", stringify!($cell)),
            concat!(stringify!($cell), ": .quad ", $symbol),
            ".text",
        );

        unsafe extern "C" {
            static $cell: $type;
        }
    };
}
pub(crate) use weak;
