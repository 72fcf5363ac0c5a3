// The options of our connections, and of a client that the application makes for limits.
import t from 'tap'
import { connectionOptions, connectTimeoutMs, IDLE_TIMEOUT_MS, limiterClientOptions } from '../../../lib/stores/redis/client-options.js'

t.test('no call is queued or sent twice, and an attempt ends within a second', async (t) => {
  const { retryStrategy, ...options } = connectionOptions
  t.strictSame(options, {
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    connectTimeout: 700,
    disconnectTimeout: 50,
    maxLoadingRetryTime: 100
  })
  for (const [attempt, leastMs] of [[1, 50], [2, 100], [10, 400]]) {
    const delayMs = retryStrategy(attempt)
    t.ok(delayMs >= leastMs && delayMs <= 2 * leastMs, `${delayMs} ms`)
  }
})

t.test('a deadline longer than the timeouts prolongs them', async (t) => {
  t.strictSame([0, 233, 234, 1000].map(connectTimeoutMs), [700, 700, 702, 3000])
  t.strictSame([undefined, 50, 250, 251, 1000].map((deadline) => limiterClientOptions({ deadline }).socketTimeout), [500, 500, 500, 502, 2000])
  t.strictSame([undefined, 50, 1000].map((deadline) => limiterClientOptions({ deadline }).connectTimeout), [700, 700, 3000])
  t.ok(IDLE_TIMEOUT_MS < limiterClientOptions().socketTimeout, 'ours counts no blocked event loop')
})

t.test('a client of the application has the options of ours, and leaves a server that became a replica', async (t) => {
  const { connectTimeout, socketTimeout, reconnectOnError, ...options } = limiterClientOptions()
  const { connectTimeout: _, ...ours } = connectionOptions
  t.strictSame(options, ours)
  t.equal(reconnectOnError(new Error("READONLY You can't write against a read only replica.")), true)
  t.equal(reconnectOnError(new Error('ERR it is READONLY')), false)
})
