// Writes what the schemas say about options into their declarations, as JSDoc, so that an editor shows it. The types of
// options are made from those declarations by mapped types, which keep the comments of properties.
/* c8 ignore start */ // the build runs this, and tap would report it as untested
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

/** Where the schemas are that users write by: a module, without its ending, and the names of its schemas. */
const described = [
  ['config/schema/options-schema', ['RateLimitOptionsSchema']],
  ['config/schema/policy-schema', ['RouteRateLimitSchema']]
]

function comment (schema, indent) {
  const lines = [
    // What would end the comment is in a pattern such as /api/*/reports.
    schema.description.replaceAll('*/', '*\\/'),
    ...schema.default === undefined ? [] : [`@default ${typeof schema.default === 'string' ? `'${schema.default}'` : JSON.stringify(schema.default)}`]
  ]
  return ['/**', ...lines.map((line) => ` * ${line}`), ' */', ''].join(`\n${indent}`)
}

/** Each place of a property's declaration with the comment that belongs there. */
function * comments (type, schema, file) {
  if (schema === undefined || type === undefined || !ts.isImportTypeNode(type)) return
  const [argument, second] = type.typeArguments ?? []
  switch (type.qualifier?.text) {
    case 'TOptional':
      yield * comments(argument, schema, file)
      break
    case 'TArray':
      yield * comments(argument, schema.items, file)
      break
    case 'TRecord':
      yield * comments(second, Object.values(schema.patternProperties)[0], file)
      break
    case 'TUnion':
      for (const [index, member] of argument.elements.entries()) yield * comments(member, schema.anyOf[index], file)
      break
    case 'TObject':
      for (const member of argument.members) {
        const property = schema.properties[member.name.text]
        const at = member.getStart(file)
        const indent = ' '.repeat(file.getLineAndCharacterOfPosition(at).character)
        if (property?.description !== undefined) yield [at, comment(property, indent)]
        yield * comments(member.type, property, file)
      }
  }
}

/** In the modules that tsc wrote into a folder. */
export async function describeOptions (modules) {
  for (const [module, names] of described) {
    const path = join(modules, module)
    const schemas = await import(pathToFileURL(`${path}.js`).href)
    const text = readFileSync(`${path}.d.ts`, 'utf8')
    const file = ts.createSourceFile(`${path}.d.ts`, text, ts.ScriptTarget.Latest)
    const declarations = file.statements.filter(ts.isVariableStatement).flatMap(({ declarationList }) => declarationList.declarations)
    const inserted = declarations
      .filter(({ name }) => names.includes(name.text))
      .flatMap(({ name, type }) => [...comments(type, schemas[name.text], file)])
    let from = 0
    const parts = inserted.flatMap(([at, comment]) => {
      const before = text.slice(from, at)
      from = at
      return [before, comment]
    })
    writeFileSync(`${path}.d.ts`, [...parts, text.slice(from)].join(''))
  }
}
