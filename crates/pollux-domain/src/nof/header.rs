//! The text of the C headers, from the tables: what a program is compiled with and what the codec reads are one thing.

use super::layout::{
    BACKUP_SUMMARY, CONFIG_FILE, CONFIG_FILE_HEADER, Kind, NODE_SUMMARY, Profile, Structure, VERBS,
};
use super::numbers::{BYTES, INDICATIONS, MODES, OPCODES, PRIMARY, RESULTS, SECONDARY, WORDS, Width};
use std::fmt::Write as _;

/// `values_c.h`: types and constants. A constant has the value that makes its bytes big-endian in memory.
pub fn values_c_h() -> String {
    let mut out = String::from(
        "/* Types and constants of the NOF interface. Made from the tables of pollux-domain; do not edit. */\n\
         #ifndef VALUES_C_H\n#define VALUES_C_H\n\n#include <stdint.h>\n\n\
         typedef uint8_t AP_UINT8;\ntypedef uint16_t AP_UINT16;\ntypedef uint32_t AP_UINT32;\n\n\
         /* Stored big-endian on every machine. */\n\
         #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__\n\
         #define POLLUX_CODE16(v) ((AP_UINT16)(v))\n#define POLLUX_CODE32(v) ((AP_UINT32)(v))\n#else\n\
         #define POLLUX_CODE16(v) ((AP_UINT16)((((v) & 0xFFu) << 8) | (((v) >> 8) & 0xFFu)))\n\
         #define POLLUX_CODE32(v) ((AP_UINT32)((((v) & 0xFFu) << 24) | (((v) & 0xFF00u) << 8) | \\\n\
         \x20   (((v) >> 8) & 0xFF00u) | (((v) >> 24) & 0xFFu)))\n#endif\n\n\
         /* Define POLLUX_NOF_NAME_BYTES as 64 for the older layout. */\n\
         #ifndef POLLUX_NOF_NAME_BYTES\n#define POLLUX_NOF_NAME_BYTES 128\n#endif\n\n",
    );
    for (width, table) in [PRIMARY, SECONDARY, BYTES, WORDS, RESULTS] {
        constants(&mut out, width, table);
    }
    out.push_str("#if POLLUX_NOF_NAME_BYTES == 64\n");
    constants(&mut out, Width::Four, MODES.1);
    out.push_str("#else\n");
    constants(&mut out, Width::Byte, MODES.1);
    out.push_str("#endif\n\n#endif\n");
    out
}

/// `nof_c.h`: opcodes, structures with their offsets asserted, entry points.
pub fn nof_c_h() -> String {
    let mut out = String::from(
        "/* Verbs of the NOF interface. Made from the tables of pollux-domain; do not edit. */\n\
         #ifndef NOF_C_H\n#define NOF_C_H\n\n#include <stddef.h>\n#include \"values_c.h\"\n\n\
         #if defined(__cplusplus)\n#define POLLUX_ASSERT static_assert\nextern \"C\" {\n#else\n\
         #define POLLUX_ASSERT _Static_assert\n#endif\n\n",
    );
    constants(&mut out, OPCODES.0, OPCODES.1);
    constants(&mut out, INDICATIONS.0, INDICATIONS.1);
    let header = Structure { name: "nof_hdr", opcodes: &[], header: true, fields: &[] };
    for part in [&header, &CONFIG_FILE, &CONFIG_FILE_HEADER, &BACKUP_SUMMARY, &NODE_SUMMARY] {
        both_layouts(&mut out, part);
    }
    VERBS.iter().for_each(|verb| both_layouts(&mut out, verb));
    // Verbs that share a layout have each their own name in the books.
    for (alias, name) in [
        ("SET_CENTRAL_LOGGING", "CENTRAL_LOGGING"),
        ("QUERY_CENTRAL_LOGGING", "CENTRAL_LOGGING"),
        ("SET_GLOBAL_LOG_TYPE", "GLOBAL_LOG_TYPE"),
        ("QUERY_GLOBAL_LOG_TYPE", "GLOBAL_LOG_TYPE"),
        ("SET_LOG_TYPE", "LOG_TYPE"),
        ("QUERY_LOG_TYPE", "LOG_TYPE"),
        ("DEFINE_DOMAIN_CONFIG_FILE", "DOMAIN_CONFIG_FILE"),
        ("QUERY_DOMAIN_CONFIG_FILE", "DOMAIN_CONFIG_FILE"),
        ("REGISTER_INDICATION_SINK", "INDICATION_SINK"),
        ("UNREGISTER_INDICATION_SINK", "INDICATION_SINK"),
    ] {
        let _ = writeln!(out, "typedef {name} {alias};");
    }
    out.push_str(
        "\ntypedef union ap_corr {\n  void *corr_p;\n  AP_UINT32 corr_l;\n  int corr_i;\n} AP_CORR;\n\n\
         typedef void (*NOF_CALLBACK)(AP_UINT32 target_handle, void *nofvcb, AP_CORR corr, AP_UINT32 indic_length);\n\n\
         /* Each layout has entry points of its own. */\n\
         #if POLLUX_NOF_NAME_BYTES == 64\n#define POLLUX_ENTRY(name) __asm__(#name \"_n64\")\n\
         #else\n#define POLLUX_ENTRY(name)\n#endif\n\n\
         void nof(AP_UINT32 target_handle, void *nofvcb) POLLUX_ENTRY(nof);\n\
         AP_UINT16 nof_async(AP_UINT32 target_handle, void *nofvcb, NOF_CALLBACK comp_proc, AP_CORR corr)\n\
         \x20   POLLUX_ENTRY(nof_async);\n\n\
         #if defined(__cplusplus)\n}\n#endif\n\n#endif\n",
    );
    out
}

fn constants(out: &mut String, width: Width, table: &[(&str, u64)]) {
    for (name, value) in table {
        let _ = match width {
            Width::Byte => writeln!(out, "#define {name} ((AP_UINT8){value})"),
            Width::Two => writeln!(out, "#define {name} POLLUX_CODE16(0x{value:04X}u)"),
            Width::Four => writeln!(out, "#define {name} POLLUX_CODE32(0x{value:08X}u)"),
            Width::Plain => writeln!(out, "#define {name} ((AP_UINT16){value})"),
        };
    }
    out.push('\n');
}

/// A structure, twice where the layouts differ.
fn both_layouts(out: &mut String, structure: &Structure) {
    let [older, newer] = [Profile::N64, Profile::N128].map(|profile| declaration(structure, profile));
    if older == newer {
        out.push_str(&newer);
    } else {
        let _ = write!(out, "#if POLLUX_NOF_NAME_BYTES == 64\n{older}#else\n{newer}#endif\n");
    }
    out.push('\n');
}

/// A structure in one layout, with its offsets asserted.
fn declaration(structure: &Structure, profile: Profile) -> String {
    let mut out = String::new();
    let (places, size, _) = structure.places(profile);
    let name = structure.name;
    let upper = name.to_uppercase();
    let _ = writeln!(out, "typedef struct {name} {{");
    for place in &places {
        let field = place.field.name;
        let _ = match place.field.kind {
            Kind::Byte => writeln!(out, "  AP_UINT8 {field};"),
            Kind::Reserved(1) => writeln!(out, "  AP_UINT8 {field};"),
            Kind::Code16 | Kind::Count16 => writeln!(out, "  AP_UINT16 {field};"),
            Kind::Code32 | Kind::Count32 => writeln!(out, "  AP_UINT32 {field};"),
            Kind::Pointer => writeln!(out, "  AP_UINT8 *{field};"),
            Kind::Name | Kind::Text(_) | Kind::Reserved(_) => {
                writeln!(out, "  AP_UINT8 {field}[{}];", place.size)
            }
            Kind::Embedded(inner) => writeln!(out, "  {} {field};", inner.name.to_uppercase()),
        };
    }
    let _ = writeln!(out, "}} {upper};");
    for place in &places {
        let (field, offset) = (place.field.name, place.offset);
        let _ = writeln!(out, "POLLUX_ASSERT(offsetof({upper}, {field}) == {offset}, \"{name}.{field}\");");
    }
    let _ = writeln!(out, "POLLUX_ASSERT(sizeof({upper}) == {size}, \"{name}\");");
    out
}
