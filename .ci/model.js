// `npm run model -- leases` visits all states of a model, and prints how many there are. `npm run model -- leases 'a report is sent twice'`
// prints the shortest way in which a wrong rule breaks the bound.
import { pathToFileURL } from 'node:url'
import { compile, toCompiledPath } from './compile.js'

const MODELS = { leases: 'lease-cases', 'carry-over': 'carry-over-cases', breaker: 'breaker-cases', slots: 'slot-cases' }

const [model, wrong] = process.argv.slice(2)
if (!Object.hasOwn(MODELS, model)) throw new Error(`The models are: ${Object.keys(MODELS).join(', ')}.`)
await compile()
const { CASES, CAUGHT_IN, exploreCase } = await import(pathToFileURL(toCompiledPath(`models/${MODELS[model]}.ts`)).href)
if (wrong !== undefined && !Object.hasOwn(CAUGHT_IN, wrong)) throw new Error(`The wrong rules are: ${Object.keys(CAUGHT_IN).join(', ')}.`)

const names = wrong === undefined ? Object.keys(CASES) : [CAUGHT_IN[wrong]]
for (const name of names) {
  const { states, trace } = exploreCase(CASES[name], wrong)
  console.log(`${trace === null ? 'holds ' : 'broken'} ${String(states).padStart(7)} states  ${name}`)
  if (trace !== null) console.log(trace.map((step) => `       ${step}`).join('\n'))
}
