import type { Cluster } from 'ioredis'

/**
 * Ask the nodes of a Cluster every so often which slots are theirs, while it is ready. Milliseconds; 0 for never.
 * ioredis's own timer starts anew when the client was closed in the midst of asking, and keeps the process for good.
 */
export function refreshSlots (client: Cluster, intervalMs: number): void {
  if (intervalMs === 0) return
  let timer: NodeJS.Timeout | null = null
  client.on('ready', () => {
    timer ??= setInterval(() => { if (client.status === 'ready') client.refreshSlotsCache() }, intervalMs).unref()
  })
  client.on('disconnecting', () => {
    if (timer !== null) clearInterval(timer)
    timer = null
  })
}
