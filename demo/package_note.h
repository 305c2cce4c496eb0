/* The packaging note that systemd's "ELF Package Metadata" specification describes: an ELF note
 * named "FDO" of type 0xcafe1a7e in section .note.package, holding JSON. It says of which package
 * and version a file is, without any package manager. Include it in exactly one source of a
 * library and use PACKAGE_NOTE once; the assembler makes the section, no linker script is needed. */
#ifndef PACKAGE_NOTE_H
#define PACKAGE_NOTE_H

#if defined(__aarch64__)
#define NOTE_ARCHITECTURE "arm64"
#else
#define NOTE_ARCHITECTURE "amd64"
#endif

#define NOTE_TEXT_(word) #word
#define NOTE_TEXT(word) NOTE_TEXT_(word)

/* version is bare (1.2.0), name a string literal. */
#define PACKAGE_NOTE(name, version)                                           \
    __asm__(".pushsection .note.package,\"a\",@note\n"                        \
            ".balign 4\n"                                                     \
            ".long 2f - 1f\n"     /* length of the name with its NUL */       \
            ".long 4f - 3f\n"     /* length of the text with its NUL */       \
            ".long 0xcafe1a7e\n"                                              \
            "1: .asciz \"FDO\"\n"                                             \
            "2: .balign 4\n"                                                  \
            "3: .asciz \"{\\\"type\\\":\\\"deb\\\",\\\"name\\\":\\\"" name    \
            "\\\",\\\"version\\\":\\\"" NOTE_TEXT(version)                    \
            "\\\",\\\"architecture\\\":\\\"" NOTE_ARCHITECTURE "\\\"}\"\n"   \
            "4: .balign 4\n"                                                  \
            ".popsection\n")

#endif
