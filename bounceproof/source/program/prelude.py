# SPDX-License-Identifier: GPL-2.0-only
"""What the reader takes for granted of a 64-bit kernel, before any file is read.

``DEFAULT_CONFIG`` is the stated configuration; ``--config`` overrides it.  A symbol
that is not listed is ``n``.
"""

from __future__ import annotations

DEFAULT_CONFIG: dict[str, str] = {
    "CONFIG_64BIT": "y",
    "CONFIG_PHYS_ADDR_T_64BIT": "y",
    "CONFIG_ARCH_DMA_ADDR_T_64BIT": "y",
    "CONFIG_MMU": "y",
    "CONFIG_SMP": "y",
    "CONFIG_PCI": "y",
    "CONFIG_HAS_DMA": "y",
    "CONFIG_DMA_OPS": "y",
    "CONFIG_DMA_OPS_HELPERS": "y",
    "CONFIG_ARCH_HAS_DMA_OPS": "y",
    "CONFIG_NEED_SG_DMA_LENGTH": "y",
    "CONFIG_IOMMU_DMA": "y",
    "CONFIG_IOMMU_IOVA": "y",
    "CONFIG_IOMMU_API": "y",
    "CONFIG_SWIOTLB": "y",
    "CONFIG_SWIOTLB_DYNAMIC": "n",
    "CONFIG_DMA_RESTRICTED_POOL": "y",
    "CONFIG_SWIOTLB_DEFAULT_SIZE_MB": "64",
    "CONFIG_DEBUG_FS": "n",
    "CONFIG_DMA_API_DEBUG": "n",
    "CONFIG_ARCH_HAS_PHYS_TO_DMA": "n",
    "CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC": "n",
    "CONFIG_HIGHMEM": "n",
}

_TYPES = {
    "uint8_t": "u8 __u8",
    "uint16_t": "u16 __u16 __le16",
    "uint32_t": "u32 __u32 __le32",
    "uint64_t": "u64 __u64 __le64 phys_addr_t dma_addr_t resource_size_t sector_t",
    "int8_t": "s8 __s8",
    "int16_t": "s16 __s16",
    "int32_t": "s32 __s32",
    "int64_t": "s64 __s64 loff_t",
    "unsigned int": "gfp_t uint fmode_t blk_opf_t",
    "unsigned long": "ulong",
}
_EMPTY = """__init __exit __meminit __initdata __ro_after_init __read_mostly __weak
__always_inline __maybe_unused __must_check __iomem __percpu __rcu __user __force
__bitwise __cold __used noinline notrace asmlinkage __packed __sched inline
__cacheline_aligned __cacheline_aligned_in_smp ____cacheline_aligned_in_smp
____cacheline_aligned __deprecated __pure __malloc __ref __refdata
__private __hot __noreturn fallthrough __init_or_module __visible"""
_EMPTY_CALLS = """__acquires __releases __must_hold __counted_by __aligned
__attribute__ __printf __alloc_size __guarded_by __section __acquire __release
__context_unsafe __cond_acquires __malloc_dealloc __realloc_size"""
_CONSTANTS = {
    "BITS_PER_LONG": "64",
    "BITS_PER_BYTE": "8",
    "BITS_TO_LONGS(n)": "(((n) + 63) / 64)",
    "DECLARE_BITMAP(name, n)": "unsigned long name[BITS_TO_LONGS(n)]",
    "PAGE_SIZE": "(1UL << PAGE_SHIFT)",
    "PAGE_MASK": "(~(PAGE_SIZE - 1))",
    "U8_MAX": "((uint8_t)~0U)",
    "U16_MAX": "((uint16_t)~0U)",
    "U32_MAX": "((uint32_t)~0U)",
    "U64_MAX": "((uint64_t)~0ULL)",
    "INT_MAX": "((int)(~0U >> 1))",
    "UINT_MAX": "(~0U)",
    "LONG_MAX": "((long)(~0UL >> 1))",
    "ULONG_MAX": "(~0UL)",
    "ULLONG_MAX": "(~0ULL)",
    "SIZE_MAX": "(~(size_t)0)",
    "PHYS_ADDR_MAX": "(~(uint64_t)0)",
    "SECTOR_SHIFT": "9",
    "SECTOR_SIZE": "(1 << 9)",
    "EPERM": "1",
    "EINVAL": "22",
    "ENOMEM": "12",
    "EIO": "5",
    "ENODEV": "19",
    "EREMOTEIO": "121",
    "EOVERFLOW": "75",
    "EOPNOTSUPP": "95",
    "GFP_KERNEL": "0xcc0U",
    "GFP_ATOMIC": "0x820U",
    "GFP_NOWAIT": "0x800U",
    "__GFP_NOWARN": "0x2000U",
    "__GFP_ZERO": "0x100U",
    "IOMMU_READ": "(1 << 0)",
    "IOMMU_WRITE": "(1 << 1)",
    "IOMMU_CACHE": "(1 << 2)",
    "IOMMU_NOEXEC": "(1 << 3)",
    "IOMMU_MMIO": "(1 << 4)",
    "IOMMU_PRIV": "(1 << 5)",
    "unlikely(x)": "(!!(x))",
    "likely(x)": "(!!(x))",
    "PAGE_ALIGN(x)": "ALIGN(x, PAGE_SIZE)",
    "PAGE_ALIGNED(x)": "IS_ALIGNED((unsigned long)(x), PAGE_SIZE)",
    "PFN_DOWN(x)": "((unsigned long)((x) >> PAGE_SHIFT))",
    "PFN_UP(x)": "(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)",
    "PFN_PHYS(x)": "((uint64_t)(x) << PAGE_SHIFT)",
    "offset_in_page(p)": "((unsigned long)(p) & ~PAGE_MASK)",
    "min_t(t, a, b)": "min((t)(a), (t)(b))",
    "max_t(t, a, b)": "max((t)(a), (t)(b))",
    "clamp_t(t, v, a, b)": "clamp((t)(v), (t)(a), (t)(b))",
    "INVALID_PHYS_ADDR": "(~(uint64_t)0)",
    "container_of(p, t, m)": "((t *)__container_of(p))",
    "container_of_const(p, t, m)": "((t *)__container_of(p))",
    **{
        f"{name}(p, head, member{rest})": "for (p = __first(head, #member); "
        "__more(p); p = __next(p, head, #member))"
        for name, rest in (
            ("list_for_each_entry", ""),
            ("list_for_each_entry_rcu", ", ..."),
        )
    },
    "list_for_each_entry_safe(p, n, head, member)": (
        "for (p = __first(head, #member), n = p ? __next(p, head, #member) : p; "
        "__more(p); p = n, n = n ? __next(n, head, #member) : n)"
    ),
    "for_each_sg(l, s, n, i)": "for (i = 0, s = l; i < n; i++, s = sg_next(s))",
    "BIT(n)": "(1UL << (n))",
    "BIT_ULL(n)": "(1ULL << (n))",
    "GENMASK(h, l)": "((~0UL - (1UL << (l)) + 1) & (~0UL >> (64 - 1 - (h))))",
    "GENMASK_ULL(h, l)": "((~0ULL - (1ULL << (l)) + 1) & (~0ULL >> (64 - 1 - (h))))",
    "READ_ONCE(x)": "(x)",
    "WRITE_ONCE(x, v)": "((x) = (v))",
    "smp_load_acquire(p)": "(*(p))",
    "smp_store_release(p, v)": "(*(p) = (v))",
    "EXPORT_SYMBOL(x)": "",
    "EXPORT_SYMBOL_GPL(x)": "",
    "EXPORT_SYMBOL_NS_GPL(x, y)": "",
    "DEFINE_SPINLOCK(x)": "spinlock_t x",
    "DEFINE_STATIC_KEY_FALSE(x)": "int x",
    "DEFINE_STATIC_KEY_TRUE(x)": "int x = 1",
}


def prelude(page_shift: int) -> str:
    """C text that defines types, empty annotations and constants."""
    lines = [f"#define PAGE_SHIFT {page_shift}"]
    for primitive, names in _TYPES.items():
        lines += [f"#define {name} {primitive}" for name in names.split()]
    lines += [f"#define {name}" for name in _EMPTY.split()]
    lines += [f"#define {name}(...)" for name in _EMPTY_CALLS.split()]
    lines += [f"#define {name} {value}" for name, value in _CONSTANTS.items()]
    for shift in range(31):
        size = 1 << shift
        unit = shift // 10
        label = f"{size >> (10 * unit)}{('', 'K', 'M', 'G')[unit]}"
        lines.append(f"#define SZ_{label} {size:#x}")
    return "\n".join(lines) + "\n"
