# SPDX-License-Identifier: GPL-2.0-only
"""What the reader takes as given: all that lies outside the code it evaluates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumption:
    """``names``: what it covers; ``treatment``: how a call of one is taken.

    Treatments: ``nothing`` (no effect, no value), ``zero``, ``one``, ``null``,
    ``first``/``second`` (the value of that argument), ``log``, ``copy``, ``fill``,
    ``given:X`` (a device of the model), ``address``, ``number``, ``page``, ``pfn``,
    ``fresh``, ``mapped``, ``iova``, ``pages`` (bytes of a page frame number) and
    ``stated`` for what is no call.  ``boundary``: also where the tree defines it.
    """

    names: str
    treatment: str
    reason: str
    boundary: bool = False


SEARCH, END, LISTS = "the search", "the search's end", "list[] and used"
PROVED: tuple[tuple[str, str], ...] = (
    (
        "the pool's start",
        "its initialisation leaves every slot free, for any slot, area and size",
    ),
    (
        SEARCH,
        "between any two turns of its loop, and on the way there, the code does what "
        "its rule says, for any request, mask, index, list[], used, area and pool",
    ),
    (
        END,
        "where no rule says the search: a measure of its own variables, a natural "
        "number or several in order, falls with each turn, for any request and area",
    ),
    (
        "what surrounds it",
        "every area is searched before a mapping fails, the search is given what was "
        "read, and a mapping is made as it was read of any slot, on any CPU",
    ),
    ("the limits", "they are the same for every pool"),
    (
        LISTS,
        "taking and giving back leave them as the model says (exclusive, returned)",
    ),
)
"""What is proved of a tree's code, for all inputs, before anything holds of it."""
STATED_ZERO = frozenset(
    {
        "io_tlb_used",
        "iommu_dma_forcedac",
        "late_alloc",
        "no_iotlb_memory",
        "swiotlb_force",
        "swiotlb_force_bounce",
        "swiotlb_force_disable",
        "swiotlb_unencrypted_base",
    }
)
ASSUMPTIONS: tuple[Assumption, ...] = (
    Assumption(
        """spin_lock spin_unlock spin_lock_irqsave spin_unlock_irqrestore spin_lock_init
        spin_lock_irq spin_unlock_irq raw_spin_lock_irqsave raw_spin_unlock_irqrestore
        mutex_lock mutex_unlock rcu_read_lock rcu_read_unlock lockdep_assert_held
        local_irq_save local_irq_restore preempt_disable preempt_enable""",
        "nothing",
        "Locks and RCU: one mapping at a time; races are not examined.",
    ),
    Assumption(
        "smp_mb smp_rmb smp_wmb barrier smp_mb__after_atomic smp_mb__before_atomic",
        "nothing",
        "Memory barriers order what other CPUs see; there are no other CPUs here.",
    ),
    Assumption(
        """trace_swiotlb_bounced kmsan_check_memory kmsan_unpoison_memory
        kmsan_handle_dma debug_dma_map_page debug_dma_map_phys debug_dma_unmap_page
        atomic_long_add atomic_long_sub atomic_long_set might_sleep cond_resched
        cpu_relax dump_stack schedule_work count_vm_event swiotlb_print_info
        lockdep_set_class""",
        "nothing",
        "Tracing, sanitizers, statistics and deferred work change no decision.",
        boundary=True,
    ),
    Assumption(
        """printk pr_info pr_warn pr_warn_once pr_err pr_debug pr_emerg dev_warn
        dev_warn_once dev_warn_ratelimited dev_err dev_err_once dev_err_ratelimited
        dev_info dev_dbg dev_notice dev_notice_once pr_warn_ratelimited dev_WARN
        pr_notice dev_info_once""",
        "log",
        "Messages change no decision; their numbers are recorded.",
    ),
    Assumption(
        "raw_smp_processor_id smp_processor_id",
        "zero",
        "Runs and histories are on CPU 0, so they search area 0 first; what surrounds "
        "the search is proved for any CPU.",
    ),
    Assumption(
        """arch_sync_dma_for_device arch_sync_dma_for_cpu arch_sync_dma_for_cpu_all
        arch_sync_dma_flush arch_dma_mark_clean flush_kernel_vmap_range""",
        "nothing",
        "Cache maintenance changes no decision; the device is coherent.",
    ),
    Assumption(
        "memcpy memcpy_from_page memcpy_to_page",
        "copy",
        "Copies are recorded; memory content is not modelled.",
    ),
    Assumption("memset", "fill", "Fills are recorded, not carried out."),
    Assumption(
        "PageHighMem PhysHighMem is_pci_p2pdma_page is_kfence_address",
        "zero",
        "Buffers are ordinary memory below any highmem boundary.",
    ),
    Assumption(
        "phys_to_virt __va",
        "address",
        "The linear map keeps every offset within the largest granule and page.",
    ),
    Assumption("virt_to_phys __pa", "number", "The linear map, backwards."),
    Assumption("pfn_to_page", "page", "A page is known by its physical address."),
    Assumption("page_to_phys", "number", "A page is known by its physical address."),
    Assumption("page_to_pfn", "pfn", "A page is known by its physical address."),
    Assumption(
        "memblock_alloc memblock_alloc_node kcalloc kzalloc kmalloc vzalloc",
        "fresh",
        "Allocations of the kernel's own data succeed and are zeroed.",
    ),
    Assumption(
        """phys_to_dma phys_to_dma_unencrypted phys_to_dma_encrypted dma_to_phys
        __phys_to_dma __dma_to_phys""",
        "second",
        "Bus addresses are physical addresses: no DMA offset, no address tag bits.",
    ),
    Assumption(
        """__sme_set __sme_clr dma_addr_encrypted dma_addr_unencrypted
        dma_addr_canonical""",
        "first",
        "No memory encryption bit in addresses.",
    ),
    Assumption(
        "cc_platform_has mem_encrypt_active force_dma_unencrypted",
        "zero",
        "No confidential-computing platform; bouncing is forced by swiotlb itself.",
    ),
    Assumption(
        "iommu_get_dma_domain iommu_get_domain_for_dev",
        "given:domain",
        "One DMA domain with the stated granule.",
    ),
    Assumption(
        """iommu_deferred_attach static_branch_unlikely static_branch_likely
        static_key_false""",
        "zero",
        "The device is attached to its domain; static keys are off.",
    ),
    Assumption(
        "iommu_map iommu_map_atomic iommu_map_nosync iommu_sync_map",
        "mapped",
        "The IOMMU driver maps what it is told to.",
    ),
    Assumption(
        "alloc_iova_fast alloc_iova",
        "iova",
        "The IOVA allocator succeeds, with an address aligned to the granule.",
        boundary=True,
    ),
    Assumption(
        "free_iova_fast iommu_dma_free_iova iommu_iotlb_sync iommu_iotlb_gather_init",
        "nothing",
        "Freeing IOVA space has no effect on later decisions.",
        boundary=True,
    ),
    Assumption("dev_is_pci", "one", "The device is a PCI device."),
    Assumption("to_pci_dev", "given:pci", "The device is a PCI device."),
    Assumption(
        "get_arch_dma_ops",
        "null",
        "The architecture has no DMA operations of its own.",
    ),
    Assumption(
        """arch_dma_map_page_direct arch_dma_map_phys_direct
        arch_dma_unmap_page_direct""",
        "zero",
        "The architecture has no direct-map exceptions.",
    ),
    Assumption(
        "dma_addressing_limited",
        "zero",
        "The device's DMA mask covers all memory; bouncing has another cause.",
        boundary=True,
    ),
    Assumption(
        "struct device, struct iommu_domain",
        "stated",
        "PCI device, untrusted behind an IOMMU or with forced bouncing; 64-bit DMA "
        "mask, no bus limit, no DMA range map.",
    ),
    Assumption(
        "union",
        "stated",
        "Members of an anonymous union are kept apart: the code uses one of them.",
    ),
    Assumption(
        " ".join(sorted(STATED_ZERO)),
        "stated",
        "Variables set at boot hold 0 unless the path or the pool's setup sets them; "
        "other variables that code assigns have no value until it does.",
    ),
    Assumption(
        "iommu_iova_to_phys __iommu_dma_unmap",
        "stated",
        "The IOMMU translates a mapping's address back to what it was told to map, "
        "until the mapping ends.",
    ),
    Assumption(
        "a slot that no mapping holds",
        "stated",
        "It holds what the pool's initialisation leaves there. That a release leaves "
        "its list[] so is proved; with what it leaves elsewhere in the slot, returned, "
        "inbounds and clean are asked once more.",
    ),
    Assumption(
        "io_tlb_mem.pools device.dma_io_tlb_pools",
        "stated",
        "With CONFIG_SWIOTLB_DYNAMIC the list of pools has the one that is asked about "
        "and cannot grow; grown and transient pools of a tree are not examined.",
    ),
    Assumption(
        "a pointer that may be NULL",
        "stated",
        "Where code follows it, it is not NULL.",
    ),
    Assumption(
        "kernel addresses",
        "stated",
        "Pages and mapped buffers are never at the NULL address.",
    ),
)
