// `npm run model -- leases` visits all states of a model, and prints how many there are. `npm run model -- leases 'a report is sent twice'`
// prints the shortest way in which a wrong rule breaks the bound.
import { pathToFileURL } from 'node:url'
import { compile, toCompiledPath } from './compile.js'

const [name, wrong] = process.argv.slice(2)
if (name !== 'leases') throw new Error('The models are: leases.')
await compile()
const { CASES, CAUGHT_IN, exploreLeases } = await import(pathToFileURL(toCompiledPath('models/lease-cases.ts')).href)
if (wrong !== undefined && !Object.hasOwn(CAUGHT_IN, wrong)) throw new Error(`The wrong rules are: ${Object.keys(CAUGHT_IN).join(', ')}.`)

const names = wrong === undefined ? Object.keys(CASES) : [CAUGHT_IN[wrong]]
for (const name of names) {
  const { states, trace } = exploreLeases(CASES[name], wrong)
  console.log(`${trace === null ? 'holds ' : 'broken'} ${String(states).padStart(7)} states  ${name}`)
  if (trace !== null) console.log(trace.map((step) => `       ${step}`).join('\n'))
}
