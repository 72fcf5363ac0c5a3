import { startChild } from '../children.js'
import { progress } from '../progress.js'
import { rotated, spread } from '../statistics.js'
import { groupsOf } from './cases.js'

/** What one full check costs, in many cases. */
export async function measureChecks (settings) {
  const results = {}
  for (const { name, cases } of groupsOf(settings.keys)) results[name] = await measureGroup(name, cases, settings)
  return results
}

async function measureGroup (name, cases, { warmUpRounds, rounds, checks }) {
  const runs = cases.map((one) => ({
    ...one,
    child: startChild(new URL('check-worker.js', import.meta.url), { args: [JSON.stringify(one)] }),
    samples: []
  }))
  try {
    progress(`checks by ${name}: fill the stores and warm up`)
    for (const { child } of runs) await child.ask({ task: 'fill', checks })
    for (let round = -warmUpRounds; round < rounds; round++) {
      if (round >= 0 && round % 10 === 0) progress(`checks by ${name}: round ${round + 1} of ${rounds}`)
      for (const run of rotated(runs, round + warmUpRounds)) {
        const sample = await run.child.ask({ task: 'check', checks })
        if (round >= 0) run.samples.push(sample)
      }
    }
    return runs.map(({ title, family, keys, samples }) => ({
      title,
      family,
      keys,
      ns: spread(samples.map((sample) => sample.ns)),
      refusedShare: spread(samples.map((sample) => sample.refusedShare)).median,
      onCoreShare: spread(samples.map((sample) => sample.ns / sample.wallNs)),
      samples
    }))
  } finally {
    for (const { child } of runs) child.end()
  }
}
