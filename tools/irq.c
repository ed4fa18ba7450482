// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * evfio irq watch
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "tool.h"

/* The index of an interrupt; name may be NULL for the first there is. */
static int find_irq(const struct evfio_device *dev, const char *name)
{
	struct evfio_irq_info info;
	unsigned int i;

	if (name)
		return index_of(dev, name, evfio_irq_index);
	for (i = 0; i < evfio_device_irqs(dev); i++) {
		if (!evfio_irq_info(dev, i, &info) && info.count)
			return (int)i;
	}
	return 0;
}

/* Prints each time that it fires, until there were as many or the time is over. */
static int watch(struct evfio_irq *irq, const struct options *opts)
{
	const int64_t start = now_ns(), limit = (int64_t)opts->timeout_ms * 1000000;
	uint64_t total = 0;

	while (!opts->count || total < opts->count) {
		int64_t left = limit ? (start + limit - now_ns() + 999999) / 1000000 : -1;
		int64_t time;
		int n = evfio_irq_wait(irq, limit && left < 0 ? 0 : (int)left);

		/* As many as were waited for have not come, or none at all. */
		if (n == -ETIMEDOUT && total && !opts->count)
			break;
		if (n < 0)
			return report();
		time = now_ns() - start;
		total += (uint64_t)n;
		if (opts->json)
			printf("{\"time_ns\": %" PRId64 ", \"count\": %d, \"total\": %" PRIu64 "}\n",
			       time, n, total);
		else
			printf("%" PRId64 ".%06" PRId64 " s: %d, %" PRIu64 " in all\n",
			       time / 1000000000, time / 1000 % 1000000, n, total);
		fflush(stdout);
		if (evfio_irq_rearm(irq))
			return report();
	}
	return STATUS_OK;
}

int command_irq_watch(char **args, const struct options *opts)
{
	const char *name = args[1] && !(args[2] && *args[2] == '=') ? args[1] : NULL;
	char **word, **words = args + (name ? 2 : 1);
	struct evfio_device *dev = NULL;
	struct evfio_irq *irq = NULL;
	struct regs *regs;
	int status, index;

	for (word = words; *word; word += 2) {
		if (!word[1] || *word[1] != '=')
			return bad_usage("there is no =VALUE for", *word);
	}
	status = regs_new(words, opts, &regs);
	if (status == STATUS_OK && evfio_open(args[0], &dev))
		status = report();
	if (status == STATUS_OK)
		status = regs_open(regs, dev);
	if (status == STATUS_OK) {
		index = find_irq(dev, name);
		/* MSI and MSI-X are sent by masters of the bus. */
		if (index < 0 || evfio_irq_open(dev, (uint32_t)index, &irq) ||
		    evfio_device_set_dma(dev, true))
			status = report();
	}
	if (status == STATUS_OK)
		status = regs_run(regs, false);
	if (status == STATUS_OK)
		status = watch(irq, opts);
	evfio_irq_close(irq);
	regs_free(regs);
	evfio_close(dev);
	return status;
}
