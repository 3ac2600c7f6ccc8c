// SPDX-License-Identifier: GPL-2.0-only
/*
 * $title
 *
$needs
 *
 * Copy it to kernel/dma/swiotlb_bounceproof_test.c, add
 * obj-$$(CONFIG_KUNIT) += swiotlb_bounceproof_test.o to kernel/dma/Makefile, and
 * boot with CONFIG_KUNIT=y, CONFIG_SWIOTLB=y and swiotlb=force.  It is built in:
 * swiotlb exports nothing of this to modules.
 */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/sizes.h>
#include <linux/swiotlb.h>

#define BUFFER_OFFSET		${offset}UL
#define BUFFER_SIZE		${size}UL
#define MIN_ALIGN_MASK		${mask}
#define SEG_BOUNDARY_MASK	${boundary}UL
#define TRIES			256

struct bounce_test {
	struct device *dev;
	struct device_dma_parameters parms;
	u64 dma_mask;
	unsigned long pages;
	int order;
};

static phys_addr_t map(struct bounce_test *ctx, phys_addr_t phys, size_t size,
		       size_t alloc_size, unsigned int alloc_align_mask)
{
	unsigned long attrs = 0;

$mapped
}

static void unmap(struct bounce_test *ctx, phys_addr_t tlb_addr, size_t size)
{
	swiotlb_tbl_unmap_single(ctx->dev, tlb_addr, size, DMA_FROM_DEVICE,
				 DMA_ATTR_SKIP_CPU_SYNC);
}

/* The index at which the next search starts differs from try to try. */
static void move_index(struct bounce_test *ctx, phys_addr_t phys)
{
	phys_addr_t tlb_addr = map(ctx, phys, SZ_512, SZ_512, 0);

	if (tlb_addr != (phys_addr_t)DMA_MAPPING_ERROR)
		unmap(ctx, tlb_addr, SZ_512);
}

static void bounceproof_$property(struct kunit *test)
{
	struct bounce_test *ctx = test->priv;
	phys_addr_t phys = virt_to_phys((void *)ctx->pages) + BUFFER_OFFSET;
	phys_addr_t tlb_addr;
	int i;

	for (i = 0; i < TRIES; i++) {
		tlb_addr = map(ctx, phys, BUFFER_SIZE, ${alloc_size}UL, $align_mask);
		KUNIT_ASSERT_NE(test, tlb_addr, (phys_addr_t)DMA_MAPPING_ERROR);
		KUNIT_EXPECT_EQ(test, tlb_addr & MIN_ALIGN_MASK,
				phys & MIN_ALIGN_MASK);
		unmap(ctx, tlb_addr, BUFFER_SIZE);
		move_index(ctx, phys);
	}
}

static int bounceproof_init(struct kunit *test)
{
	struct bounce_test *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return -ENOMEM;
	test->priv = ctx;
	if (PAGE_SIZE != $page_size)
		kunit_skip(test, "the request is for pages of $page_size bytes");
	ctx->order = get_order(BUFFER_OFFSET + BUFFER_SIZE);
	ctx->pages = __get_free_pages(GFP_KERNEL, ctx->order);
	if (!ctx->pages)
		return -ENOMEM;
	ctx->dev = root_device_register("bounceproof");
	if (IS_ERR(ctx->dev)) {
		int err = PTR_ERR(ctx->dev);

		ctx->dev = NULL;
		return err;
	}
	ctx->dma_mask = DMA_BIT_MASK(64);
	ctx->dev->dma_mask = &ctx->dma_mask;
	ctx->dev->dma_parms = &ctx->parms;
	dma_set_min_align_mask(ctx->dev, MIN_ALIGN_MASK);
	dma_set_seg_boundary(ctx->dev, SEG_BOUNDARY_MASK);
	if (!is_swiotlb_active(ctx->dev))
		kunit_skip(test, "there is no bounce buffer: boot with swiotlb=force");
	return 0;
}

static void bounceproof_exit(struct kunit *test)
{
	struct bounce_test *ctx = test->priv;

	if (!ctx)
		return;
	if (ctx->dev)
		root_device_unregister(ctx->dev);
	if (ctx->pages)
		free_pages(ctx->pages, ctx->order);
}

static struct kunit_case bounceproof_cases[] = {
	KUNIT_CASE(bounceproof_$property),
	{}
};

static struct kunit_suite bounceproof_suite = {
	.name = "swiotlb_bounceproof",
	.init = bounceproof_init,
	.exit = bounceproof_exit,
	.test_cases = bounceproof_cases,
};

kunit_test_suite(bounceproof_suite);
