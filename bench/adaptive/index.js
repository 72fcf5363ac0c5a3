import { startChild } from '../children.js'
import { progress } from '../progress.js'

const contestants = {
  none: 'no limit',
  fixed: 'concurrency, max: 200',
  fixedLow: 'concurrency, max: 20',
  adaptive: 'concurrency, max: \'adaptive\'',
  underPressure: '@fastify/under-pressure'
}

/** More load than a handler has capacity for, which halves in the middle of the run. */
export async function measureAdaptive (settings) {
  const rows = []
  for (const [name, title] of Object.entries(contestants)) {
    progress(`adaptive: ${title}`)
    const child = startChild(new URL('worker.js', import.meta.url), { args: [name] })
    const [before, after] = await child.ask(settings)
    child.end()
    rows.push({ name, title, before, after })
  }
  return { settings, rows }
}
