import { startChild } from '../children.js'
import { progress } from '../progress.js'
import { rotated, spread } from '../statistics.js'

const CASES = [
  { title: 'memory store', store: 'memory', keys: 1 },
  { title: 'leases', store: 'leases', keys: 1 },
  { title: 'memory store', store: 'memory', keys: 1000 },
  { title: 'leases', store: 'leases', keys: 1000 }
]

/** What the store needs for one charge that it answers in the same turn. */
export async function measureTakes (target, { warmUpRounds, rounds, takes }) {
  const runs = CASES.map((one) => ({
    ...one,
    child: startChild(new URL('take-worker.js', import.meta.url), { args: [JSON.stringify({ ...one, target })] }),
    samples: []
  }))
  try {
    progress('leases: one charge')
    for (const { child } of runs) for (let round = 0; round < warmUpRounds; round++) await child.ask({ takes })
    for (let round = 0; round < rounds; round++) {
      for (const run of rotated(runs, round)) run.samples.push(await run.child.ask({ takes }))
    }
    return runs.map(({ title, keys, samples }) => ({ title, keys, ns: spread(samples.map(({ ns }) => ns)), samples }))
  } finally {
    for (const { child } of runs) child.end()
  }
}
