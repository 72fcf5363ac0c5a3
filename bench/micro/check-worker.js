import { families } from '../addresses.js'
import { FakeSocket } from '../in-process/exchange.js'
import { seededRandom } from '../random.js'
import { startStopwatch } from '../stopwatch.js'
import { answer } from '../worker.js'
import { subjects } from './subjects.js'

// The cost of a check in one case, alone in its process.

/** Connections made, then checked, at a time: more would push the store out of the caches, and real ones are fresh. */
const BATCH = 1000

const { subject, family, keys, options } = JSON.parse(process.argv[2])
const check = await subjects[subject](options)
const addressAt = families[family]
const random = seededRandom(1)

answer(async ({ task, checks }) => {
  switch (task) {
    case 'fill':
      for (let first = 0; first < keys; first += BATCH) {
        await check(Array.from({ length: Math.min(BATCH, keys - first) }, (_, i) => new FakeSocket(addressAt(first + i))))
      }
      return null
    case 'check': {
      let refused = 0
      let ns = 0
      let wallNs = 0
      for (let done = 0; done < checks; done += BATCH) {
        const sockets = Array.from({ length: BATCH }, () => new FakeSocket(addressAt(random(keys))))
        const stop = startStopwatch()
        refused += await check(sockets)
        const taken = stop()
        ns += taken.ns
        wallNs += taken.wallNs
      }
      return { ns: ns / checks, wallNs: wallNs / checks, refusedShare: refused / checks }
    }
    default: throw new Error(`no such task: ${task}`)
  }
})
