import t from 'tap'
import { isUnavailable } from '../../../lib/stores/store.js'
import { ALGORITHMS, limitOf, SECOND_US } from '../../fixtures/limits.js'
import { openBench } from './open-store.js'

const LONG = 'x'.repeat(10_000)
const PARTITIONS = ['', ' ', 'user:42', 'user:42\n', 'user:42\r\nSET a b', 'user:42}', '{user:42}', '}{', '{', '}', ':', '%', '\0', LONG, `${LONG}y`, LONG.slice(1),
  'é', 'e\u0301', '😀', '\ud83d', '\ude00', '\ufffd', '*', 'user:*']

const bench = await openBench(t)

for (const algorithm of ALGORITHMS) {
  t.test(`${algorithm}: every partition has a bucket of its own, whatever its text`, async (t) => {
    const store = bench.store({ keyPrefix: `${algorithm}:` })
    const limit = limitOf({ algorithm, max: 100, windowUs: 600 * SECOND_US })
    // Each uses another number of units: a shared bucket would show in both.
    const answers = await Promise.all(PARTITIONS.map((partition, i) => store.take([{ limit, partition, cost: i + 1 }])))
    answers.forEach((answer, i) => {
      if (isUnavailable(answer)) throw new Error(`no answer: ${answer.unavailable}`)
      t.equal(answer.standings[0].remaining, 99 - i, JSON.stringify(PARTITIONS[i].slice(0, 20)))
    })
    t.equal((await bench.redis.keys(`${algorithm}:*`)).length, PARTITIONS.length)
    for (const partition of PARTITIONS) t.equal(await store.reset([limit], partition), 1)
    t.equal((await bench.redis.keys('*')).length, 0, 'nothing else was written')
  })
}
