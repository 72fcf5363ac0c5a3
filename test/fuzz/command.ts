// `npm run fuzz`, see .ci/fuzz.js.
import fc from 'fast-check'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { checkInput, type Target } from './target.js'
import { TARGETS } from './targets.js'

/** Runs of a target before the next one has its turn. */
const RUNS = 2000

/** An input that keeps the processor busy for longer is reported. Each has 20,000 characters at most. */
const MAX_INPUT_MS = 500

interface Progress {
  inputs: number
  slowestMs: number
}

/** Check one round of a target. Returns whether it holds; else the seed and the smallest input are printed. */
async function runRound (target: Target, seed: number, progress: Progress): Promise<boolean> {
  const property = fc.asyncProperty(target.inputs, async (input) => {
    progress.inputs++
    const startUs = process.cpuUsage().user
    await checkInput(target, input)
    const tookMs = (process.cpuUsage().user - startUs) / 1000
    progress.slowestMs = Math.max(progress.slowestMs, tookMs)
    if (tookMs > MAX_INPUT_MS) throw new Error(`${Math.round(tookMs)} ms for ${input.length} characters`)
  })
  const result = await fc.check(property, { seed, numRuns: RUNS })
  if (!result.failed) return true
  const [input] = result.counterexample ?? []
  console.log(`${target.name} fails with --seed ${seed}: ${result.errorInstance instanceof Error ? result.errorInstance.stack : ''}`)
  console.log(`For test/fuzz/corpus/${target.name}.json:\n${JSON.stringify({ input, why: '' })}`)
  return false
}

/** Run the command. Resolves with its exit code: 1 if a target failed. */
export async function runCommand (args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { minutes: { type: 'string' }, target: { type: 'string' }, seed: { type: 'string' } } })
  let left = TARGETS.filter(({ name }) => values.target === undefined || name === values.target)
  if (left.length === 0) throw new Error(`The targets are: ${TARGETS.map(({ name }) => name).join(', ')}.`)
  const progress = new Map(left.map((target) => [target, { inputs: 0, slowestMs: 0 }]))
  const endMs = performance.now() + Number(values.minutes ?? 1) * 60_000
  let seed = values.seed === undefined ? Date.now() % 0x7fff_ffff : Number(values.seed)
  let failures = 0
  do {
    for (const target of left) {
      const one = progress.get(target)
      if (one === undefined || await runRound(target, seed, one)) continue
      failures++
      left = left.filter((other) => other !== target)
    }
    seed++
  } while (left.length > 0 && performance.now() < endMs && values.seed === undefined)
  for (const [{ name }, { inputs, slowestMs }] of progress) console.log(`${name.padEnd(14)} ${String(inputs).padStart(9)} inputs, the slowest in ${slowestMs.toFixed(1)} ms`)
  return failures > 0 ? 1 : 0
}
