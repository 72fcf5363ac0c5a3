import type { Cluster, Redis, RedisOptions } from 'ioredis'

/*
 * What a client does by its options, of ioredis 5 and 6 and of iovalkey. A client of the application may have any options.
 */

/** Ask a client of the application as ioredis would ask it after an error reply. */
export function mayReconnect (client: Redis | Cluster): boolean {
  const error = Object.assign(new Error("READONLY You can't write against a read only replica."), { name: 'ReplyError' })
  try {
    return 'reconnectOnError' in client.options && Boolean(client.options.reconnectOnError?.(error))
  } catch {
    return false
  }
}

/** Whether a client sends a call again whose connection broke before the reply. The first one may have been executed. */
export function maySendTwice (client: Redis | Cluster): boolean {
  if (!('nodes' in client)) return resends(client.options)
  const { retryDelayOnFailover, clusterNodeRetryStrategy, redisOptions } = client.options
  // The connections to nodes do not reconnect, unless an option says so: they fail, and the Cluster sends the call again.
  return Number(retryDelayOnFailover) > 0 || (typeof clusterNodeRetryStrategy === 'function' && resends(redisOptions ?? {}))
}

/** With `maxRetriesPerRequest: 0` every unanswered call fails when its connection breaks. The default is 20. */
function resends ({ autoResendUnfulfilledCommands = true, maxRetriesPerRequest }: RedisOptions): boolean {
  // The options of a URL are text.
  return Boolean(autoResendUnfulfilledCommands) && maxRetriesPerRequest !== 0
}
