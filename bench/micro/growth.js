import { startChild } from '../children.js'
import { progress } from '../progress.js'
import { spread } from '../statistics.js'

/** Memory per key, and pauses on the way to a full store. A fresh process each time. */
export async function measureGrowth ({ keys, runs }) {
  const samples = []
  for (let run = 0; run < runs; run++) {
    progress(`growth to ${keys.toLocaleString('en')} keys: run ${run + 1} of ${runs}`)
    const child = startChild(new URL('growth-worker.js', import.meta.url), { execArgv: ['--expose-gc'] })
    try {
      samples.push(await child.ask({ keys, family: 'IPv4', burnIn: 100_000 }))
    } finally {
      child.end()
    }
  }
  const across = (field) => spread(samples.map((sample) => sample[field]))
  return {
    keys,
    bytesPerKey: across('bytesPerKey'),
    nsPerCheck: across('nsPerCheck'),
    pauseMs: across('pauseMs'),
    pauseOutsideGcMs: across('pauseOutsideGcMs'),
    samples
  }
}
