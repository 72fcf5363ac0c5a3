// What a client of the application does by its options.
import t from 'tap'
import type { Redis } from 'ioredis'
import { mayReconnect, maySendTwice } from '../../../lib/stores/redis/client-behavior.js'

const single = (options: object) => ({ options }) as unknown as Redis
const cluster = (options: object) => ({ options, nodes: () => [] }) as unknown as Redis

t.test('a client says by its option whether it connects again after an error reply', async (t) => {
  const errors: Error[] = []
  const answering = (answer: unknown) => single({ reconnectOnError: (error: Error) => { errors.push(error); return answer } })
  t.strictSame([true, 1, 2, false, 0, undefined].map((answer) => mayReconnect(answering(answer))), [true, true, true, false, false, false])
  t.match(errors[0], { name: 'ReplyError', message: /^READONLY / })
  t.equal(mayReconnect(single({})), false)
  t.equal(mayReconnect(single({ reconnectOnError: null })), false)
  t.equal(mayReconnect(single({ reconnectOnError: () => { throw new Error('of the application') } })), false)
})

for (const [why, options, expected] of [
  ['by default', {}, true],
  ['that may try again once', { maxRetriesPerRequest: 1 }, true],
  ['that tries without end', { maxRetriesPerRequest: null }, true],
  ['that never tries again', { maxRetriesPerRequest: 0 }, false],
  ['that drops what was not answered', { autoResendUnfulfilledCommands: false }, false],
  ['whose options are of a URL', { autoResendUnfulfilledCommands: 'true', maxRetriesPerRequest: '0' }, true]
] as const) {
  t.test(`a client ${why} ${expected ? 'may send' : 'never sends'} a call twice`, async (t) => { t.equal(maySendTwice(single(options)), expected) })
}

const retry = () => 100

for (const [why, options, expected] of [
  ['that waits after a failover', { retryDelayOnFailover: 100 }, true],
  ['that waits after a failover, whose nodes never try again', { retryDelayOnFailover: '1', redisOptions: { maxRetriesPerRequest: 0 } }, true],
  ['that does not', { retryDelayOnFailover: 0 }, false],
  ['whose nodes do not connect again', { retryDelayOnFailover: 0, clusterNodeRetryStrategy: null, redisOptions: {} }, false],
  ['whose nodes connect again', { retryDelayOnFailover: 0, clusterNodeRetryStrategy: retry }, true],
  ['whose nodes connect again and never try again', { retryDelayOnFailover: 0, clusterNodeRetryStrategy: retry, redisOptions: { maxRetriesPerRequest: 0 } }, false]
] as const) {
  t.test(`a Cluster ${why} ${expected ? 'may send' : 'never sends'} a call twice`, async (t) => { t.equal(maySendTwice(cluster(options)), expected) })
}
