// Each regular expression of lib takes time proportional to the length of its text, which may come from a client. A checker proves it
// from the expression, so nothing is timed. (Where one counts to a bound, as {1,40} does, the checker tries texts and counts the
// steps.) A bound of the length before an expression is no excuse: another text may skip it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkSync } from 'recheck'
import t from 'tap'
import ts from 'typescript'

// In this process: the other backends start programs.
process.env.RECHECK_BACKEND = 'pure'

interface Expression {
  readonly place: string
  readonly source: string
  readonly flags: string
}

/** What `new RegExp()` may compile: the patterns of schemas, which are among the expressions. */
const COMPILED = ['NAME_PATTERN', 'pattern']

const files = readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => join('lib', name))
const expressions = files.flatMap(findExpressions)

function findExpressions (file: string): Expression[] {
  const found: Expression[] = []
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true)
  function visit (node: ts.Node): void {
    const place = `${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}`
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/')
      found.push({ place, source: node.text.slice(1, end), flags: node.text.slice(end + 1) })
    }
    const pattern = readPattern(node)
    if (pattern !== null) found.push({ place, source: pattern, flags: '' })
    if (ts.isIdentifier(node) && node.text === 'RegExp' && ts.isNewExpression(node.parent)) {
      const compiled = node.parent.arguments?.map((argument) => argument.getText()) ?? []
      t.ok(compiled.length === 1 && COMPILED.includes(compiled[0]), `${place} compiles the pattern of a schema`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** The pattern of a schema: `pattern: '...'`, or a constant that is named so. */
function readPattern (node: ts.Node): string | null {
  const isPattern = (ts.isPropertyAssignment(node) && node.name.getText() === 'pattern') ||
    (ts.isVariableDeclaration(node) && node.name.getText().endsWith('PATTERN'))
  return isPattern && node.initializer !== undefined && ts.isStringLiteral(node.initializer) ? node.initializer.text : null
}

t.test('every regular expression of lib takes linear time', (t) => {
  t.ok(expressions.length > 90, 'the expressions were found')
  for (const { place, source, flags } of expressions) {
    const { status } = checkSync(source, flags, { timeout: 60_000 })
    t.equal(status, 'safe', `${place} /${source}/${flags}`)
  }
  t.end()
})

t.test('the checker finds expressions that are slower', (t) => {
  for (const source of ['^\\d*\\.?\\d+$', '\\s+$', '^(a|a)*$', '^\\w+_(?:PORT(?:_\\w+)?)$', '^,*,*;']) {
    t.equal(checkSync(source, '').status, 'vulnerable', source)
  }
  t.end()
})
