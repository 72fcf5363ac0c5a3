import { CEILING, contestants, limiters } from '../contestants/index.js'
import { startChild } from '../children.js'
import { progress } from '../progress.js'
import { paired, rotated, spread } from '../statistics.js'

/**
 * Real HTTP: every contestant's server is up all the time, one at a time is loaded, in rounds of rotating order.
 * All connections come from one address, for over loopback there is no cheap way to have many.
 */
export async function measureHttp (settings) {
  const load = startChild(new URL('load.js', import.meta.url))
  try {
    return {
      settings,
      passing: await race(load, 'passing', Object.keys(contestants), settings.rounds, CEILING, settings),
      refusing: await race(load, 'refusing', limiters, settings.refusedRounds, limiters[0], settings)
    }
  } finally {
    load.end()
  }
}

async function race (load, mode, names, rounds, reference, { connections, warmUpSeconds, seconds }) {
  const servers = new Map()
  try {
    for (const name of names) {
      const child = startChild(new URL('server.js', import.meta.url), { args: [name, mode] })
      servers.set(name, { child, port: await child.ask('port') })
    }
    for (const name of names) {
      progress(`HTTP, ${mode}: warm up ${contestants[name].title}`)
      await loadOne(load, servers.get(name), { connections, seconds: warmUpSeconds, mode, isWarmUp: true })
    }
    const samples = Object.fromEntries(names.map((name) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      progress(`HTTP, ${mode}: round ${round + 1} of ${rounds}`)
      for (const name of rotated(names, round)) {
        samples[name].push(await loadOne(load, servers.get(name), { connections, seconds, mode, isWarmUp: false }))
      }
    }
    return names.map((name) => summary(name, samples[name], samples[reference]))
  } finally {
    for (const { child } of servers.values()) child.end()
  }
}

async function loadOne (load, { child, port }, { connections, seconds, mode, isWarmUp }) {
  const cpuBefore = await child.ask('cpu')
  const { requests, seconds: taken, errors, statuses, p50Ms, p99Ms } = await load.ask({ port, connections, seconds })
  const cpuUs = await child.ask('cpu') - cpuBefore
  const expected = statuses[mode === 'refusing' ? '429' : '200']?.count ?? 0
  // The first request to a limiter that refuses everything passes.
  if (errors > 0 || requests - expected > (isWarmUp ? 1 : 0)) {
    throw new Error(`a contestant answered otherwise than it should: ${JSON.stringify({ requests, errors, statuses })}`)
  }
  return { perSecond: requests / taken, cpuUs: cpuUs / requests, p50Ms, p99Ms }
}

function summary (name, samples, references) {
  const perSecond = samples.map((sample) => sample.perSecond)
  const cpuUs = samples.map((sample) => sample.cpuUs)
  return {
    name,
    title: contestants[name].title,
    perSecond: spread(perSecond),
    ratio: paired(perSecond, references.map((sample) => sample.perSecond), (a, b) => a / b),
    cpuUs: spread(cpuUs),
    cpuRatio: paired(references.map((sample) => sample.cpuUs), cpuUs, (a, b) => a / b),
    p99Ms: spread(samples.map((sample) => sample.p99Ms)),
    samples
  }
}
