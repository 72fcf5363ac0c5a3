// The original's own type test against the types of compat, from the checkout that ORIGINAL_CHECKOUT names.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'

// npm may build, and a compiler is run.
t.setTimeout(240_000)

const { ORIGINAL_CHECKOUT = '' } = process.env
const skip = ORIGINAL_CHECKOUT === '' && 'ORIGINAL_CHECKOUT does not name a checkout of @fastify/rate-limit'

const ROWS = [
  { module: 'node16', declarations: 'index.d.cts', kind: 'CommonJS' },
  { module: 'preserve', declarations: 'index.d.ts', kind: 'ES modules' }
]

for (const { module, declarations, kind } of ROWS) {
  t.test(`the type test of the original passes with the types of compat for ${kind}`, { skip }, async (t) => {
    const text = readFileSync(join(ORIGINAL_CHECKOUT, 'types/index.tst.ts'), 'utf8')
    const replaced = text.replace("from '..'", "from 'fastify-sluice/compat'")
    t.not(replaced, text, 'it imports the original')

    const folder = mkdtempSync(join(tmpdir(), 'fastify-sluice-types-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
    const paths = { 'fastify-sluice/compat': [resolve('dist/compat', declarations)] }
    const compilerOptions = { module, paths, target: 'es2023', strict: true, skipLibCheck: true, types: ['node'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
    writeFileSync(join(folder, 'tstyche.config.json'), JSON.stringify({ testFileMatch: ['index.tst.ts'] }))
    writeFileSync(join(folder, 'index.tst.ts'), replaced)
    const { status, stdout, stderr } = spawnSync(process.execPath, [resolve('node_modules/.bin/tstyche')], { cwd: folder, encoding: 'utf8' })
    t.equal(status, 0, { diagnostic: status !== 0, stdout, stderr })
    t.match(stdout, /Assertions:.* \d+ passed/)
  })
}
