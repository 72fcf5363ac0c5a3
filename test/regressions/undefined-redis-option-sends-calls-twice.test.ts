// An option of `redis` whose value is undefined, such as one of an absent setting, replaced the default by that of ioredis: calls were
// queued, and sent twice.
import t from 'tap'
import { connect, type ConnectTarget } from '../../lib/stores/redis/connect.js'
import { ManualClock } from '../fixtures/manual-clock.js'

const targets: Readonly<Record<string, object>> = {
  options: { host: 'redis.example', lazyConnect: true, maxRetriesPerRequest: undefined, autoResendUnfulfilledCommands: undefined },
  'options of a Cluster': { cluster: [{ host: 'redis.example', port: 7000 }], clusterOptions: { lazyConnect: true, retryDelayOnFailover: undefined } }
}

for (const [title, target] of Object.entries(targets)) {
  t.test(`${title}: a value that is undefined is an absent option`, async (t) => {
    const pool = connect(target as ConnectTarget, { connections: 1, deadlineMs: 50, clock: new ManualClock() }, { onReady () {} })
    t.teardown(async () => { await pool.close() })
    t.notOk(pool.maySendTwice)
  })
}
