// Whatever bytes come from outside: no error but a documented one, a result in its range, and the same result again. First what
// once failed, then texts at random. `npm run fuzz` tries others for as long as it is given.
import { readdirSync } from 'node:fs'
import t from 'tap'
import { assertPropertyAsync } from '../fixtures/property.js'
import { checkInput, readCorpus } from './target.js'
import { TARGETS } from './targets.js'

for (const target of TARGETS) {
  t.test(`${target.name}: what once failed holds`, async (t) => {
    for (const { input, why } of readCorpus(target)) {
      await t.resolves(checkInput(target, input), why)
    }
  })

  t.test(`${target.name}: no text breaks its promise`, async () => {
    await assertPropertyAsync(target.inputs, 600, (input) => checkInput(target, input))
  })
}

t.test('each file of the corpus belongs to a target', async (t) => {
  const files = readdirSync(new URL('corpus', import.meta.url)).sort()
  t.strictSame(files, TARGETS.map(({ name }) => `${name}.json`).sort())
})
