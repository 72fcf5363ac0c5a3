import { families } from '../addresses.js'
import { CEILING, contestants } from '../contestants/index.js'
import { startChild } from '../children.js'
import { progress } from '../progress.js'
import { paired, rotated, spread } from '../statistics.js'

/** Fastify's whole path of a request without the network, where a tenth of a microsecond shows. */
export async function measureInProcess (settings) {
  const names = Object.keys(contestants)
  const children = new Map()
  try {
    for (const name of names) {
      children.set(name, startChild(new URL('worker.js', import.meta.url), { args: [name, String(settings.clients)] }))
    }
    progress('in process: warm up')
    await run(children, names, settings, settings.warmUpRounds, () => {})
    const samples = await run(children, names, settings, settings.rounds, (round) => {
      if (round % 10 === 0) progress(`in process: round ${round + 1} of ${settings.rounds}`)
    })
    return { settings, rows: names.flatMap((name) => Object.keys(families).map((family) => summary(name, family, samples))) }
  } finally {
    for (const child of children.values()) child.end()
  }
}

async function run (children, names, { requests }, rounds, onRound) {
  const samples = {}
  for (let round = 0; round < rounds; round++) {
    onRound(round)
    for (const family of Object.keys(families)) {
      for (const name of rotated(names, round)) {
        (samples[`${name} ${family}`] ??= []).push(await children.get(name).ask({ family, requests }))
      }
    }
  }
  return samples
}

function summary (name, family, samples) {
  const own = samples[`${name} ${family}`]
  const ns = own.map((sample) => sample.ns)
  const ceilingNs = samples[`${CEILING} ${family}`].map((sample) => sample.ns)
  return {
    name,
    title: contestants[name].title,
    family,
    ns: spread(ns),
    extraNs: paired(ns, ceilingNs, (a, b) => a - b),
    onCoreShare: spread(own.map((sample) => sample.ns / sample.wallNs)),
    samples: own
  }
}
