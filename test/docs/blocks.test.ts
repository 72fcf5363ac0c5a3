// Every block of the README and the guide is run or checked. Blocks of JavaScript are run by the test of their page; what is in
// other languages is checked here, or by the test that is named here.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import ts from 'typescript'
import * as errors from '../../lib/errors.js'
import { findErrors } from './config-files.js'
import { readPage, root, parseSnippets } from './snippets.js'

const pages = ['README.md', ...readdirSync(new URL('docs', root)).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]
const manifest: { name: string, scripts: Record<string, string>, peerDependencies: Record<string, string> } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

interface Block {
  readonly page: string
  /** The words after the fence. */
  readonly words: string
  readonly text: string
}

const blocks = pages.flatMap((page) => Array.from(readPage(page).matchAll(/^```(.*)\n([^]*?)^```$/gm), ([, words, text]): Block => ({ page, words, text })))

/** Blocks that a test of their page reads. */
const ELSEWHERE: ReadonlyArray<readonly [words: string, page: string]> = [
  ['ts nestjs', 'docs/with-other-plugins.md'],
  ['yaml', 'docs/monitoring.md'], ['promql', 'docs/monitoring.md'], ['json', 'docs/monitoring.md'],
  ['http', 'README.md'], ['http', 'docs/quick-start.md'], ['http', 'docs/responses.md'], ['text', 'docs/configuration.md'], ['toml mistakes', 'docs/configuration.md']
]

function checkShell (t: Test, { page, text }: Block): void {
  t.equal(spawnSync('sh', ['-n'], { input: text }).status, 0, `${page}: ${text}`)
  for (const [, packages] of text.matchAll(/npm install (.+)/g)) t.strictSame(packages.split(' ').filter((name) => name !== 'fastify'), [manifest.name])
  for (const [, script] of text.matchAll(/npm run (?:-s )?([\w:-]+)/g)) t.hasProp(manifest.scripts, script, page)
  for (const [, command] of text.matchAll(/npx (\S+)/g)) t.equal(command, manifest.name)
}

/** As an application would compile it, but for the modules: the package is this checkout. */
function checkTypes (t: Test, { page, text }: Block): void {
  const path = fileURLToPath(new URL(`test/docs/${page.replace(/\W/g, '-')}.ts`, root))
  const code = `import fastify from 'fastify'\nconst app = fastify()\n${text.replace(`'${manifest.name}'`, "'../../lib/index.js'")}`
  const { options } = ts.convertCompilerOptionsFromJson(JSON.parse(readFileSync(new URL('tsconfig.json', root), 'utf8')).compilerOptions, fileURLToPath(root))
  const host = ts.createCompilerHost(options)
  const read = host.getSourceFile.bind(host)
  host.getSourceFile = (name, ...rest) => name === path ? ts.createSourceFile(name, code, ts.ScriptTarget.ESNext) : read(name, ...rest)
  const program = ts.createProgram([path], options, host)
  t.strictSame(program.getSemanticDiagnostics(program.getSourceFile(path)).map(({ messageText }) => messageText), [])
}

/** No nginx is at hand: each directive ends, and so does each block. */
function checkNginx (t: Test, { text }: Block): void {
  for (const line of text.trim().split('\n')) t.match(line, /[;{}]$/)
  t.equal(text.split('{').length, text.split('}').length)
}

for (const block of blocks) {
  const [language = ''] = block.words.split(' ')
  t.test(`${block.page}: ${block.words} ${block.text.split('\n')[0]}`, async (t) => {
    if (ELSEWHERE.some(([words, page]) => words === block.words && page === block.page)) return t.ok(existsSync(new URL(testOf(block.page), root)))
    switch (language) {
      case 'js': return t.ok(readFileSync(new URL(testOf(block.page), root), 'utf8').length > 0)
      case 'toml': return t.strictSame(findErrors(block.text), [])
      case 'sh': return checkShell(t, block)
      case 'ts': return checkTypes(t, block)
      case 'nginx': return checkNginx(t, block)
      case '': return t.match(block.text, /^(?:ACL SETUSER .*\n)+$/, 'typed in by test/integration/redis-acl.test.ts')
      default: t.fail('nothing checks a block of this language')
    }
  })
}

function testOf (page: string): string {
  return `test/docs/${page.replace(/^docs\//, '').replace('.md', '').toLowerCase()}.test.ts`
}

t.test('each page with JavaScript has a test, which holds that each heading has one', async (t) => {
  for (const page of pages.filter((page) => parseSnippets(readPage(page)).length > 0)) {
    t.match(readFileSync(new URL(testOf(page), root), 'utf8'), /parseSnippets\(\w+\)\.map/, page)
  }
})

t.test('each code that is named is one of ours', async (t) => {
  const known = new Set<string>([...Object.keys(errors), ...Object.values(errors.warnings), 'FST_SLUICE_QUOTA_EXCEEDED'])
  for (const page of pages) {
    for (const [, code] of readPage(page).matchAll(/`(FST_SLUICE_\w*[A-Z])`/g)) t.ok(known.has(code), `${page}: ${code}`)
  }
})

t.test('each command that is named is there', async (t) => {
  for (const page of [...pages, 'CONTRIBUTING.md']) {
    for (const [, script] of readPage(page).matchAll(/`npm run ([\w:-]+)/g)) t.hasProp(manifest.scripts, script, page)
  }
})
