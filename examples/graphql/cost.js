import { getNamedType, getNullableType, GraphQLInterfaceType, GraphQLObjectType, isListType, Kind, parse } from 'graphql'

/** @import { FragmentDefinitionNode, GraphQLNamedType, GraphQLSchema, OperationDefinitionNode, SelectionSetNode, FieldNode } from 'graphql' */
/** @typedef {Readonly<Record<string, unknown>>} Variables */

/** For mercurius too, or a query that is too long for this would be free there. */
export const parseOptions = /** @type {const} */ ({ maxTokens: 1000 })
/** What a list has where the query does not say. */
const LENGTH = 10
/** More than any limit holds. */
const MOST_UNITS = 1_000_000

/**
 * What a query makes the server do: 1 for each object that a field brings, times the length of each list that it is in.
 * Plain values come with their objects, and cost nothing. At least 1, and no more than a million.
 *
 * It reads the query before it was validated, so it expects anything: one that is no query costs 1, and mercurius says why.
 *
 * @param {GraphQLSchema} schema
 * @param {string} query
 * @param {Variables} variables
 */
export function costOf (schema, query, variables) {
  let document
  try {
    document = parse(query, { ...parseOptions, noLocation: true })
  } catch {
    return 1
  }
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION)
  const fragments = document.definitions.filter((node) => node.kind === Kind.FRAGMENT_DEFINITION)
  const costs = new Costs(schema, { ...defaultsOf(operations), ...variables }, fragments)
  // One of them is run; whichever it is, all of them are paid for.
  return Math.max(1, Math.min(MOST_UNITS, operations.reduce((sum, operation) => sum + costs.ofOperation(operation), 0)))
}

/**
 * What variables are where they are not given: `query ($first: Int = 50)`. Where two operations say so, the most.
 *
 * @param {readonly OperationDefinitionNode[]} operations
 */
function defaultsOf (operations) {
  /** @type {Record<string, number>} */
  const defaults = {}
  for (const { variable, defaultValue } of operations.flatMap(({ variableDefinitions = [] }) => variableDefinitions)) {
    const name = variable.name.value
    if (defaultValue?.kind === Kind.INT) defaults[name] = Math.max(defaults[name] ?? 0, Number(defaultValue.value))
  }
  return defaults
}

class Costs {
  #schema
  #variables
  /** @type {Map<string, FragmentDefinitionNode>} */
  #fragments
  /** Each fragment is gone through once: some that spread each other twice would else take forever. @type {Map<string, number>} */
  #costs = new Map()

  /** @param {GraphQLSchema} schema @param {Variables} variables @param {readonly FragmentDefinitionNode[]} fragments */
  constructor (schema, variables, fragments) {
    this.#schema = schema
    this.#variables = variables
    this.#fragments = new Map(fragments.map((fragment) => [fragment.name.value, fragment]))
  }

  /** @param {OperationDefinitionNode} operation */
  ofOperation ({ operation, selectionSet }) {
    return this.#ofSelections(selectionSet, this.#schema.getRootType(operation) ?? undefined)
  }

  /** @param {SelectionSetNode} selectionSet @param {GraphQLNamedType | undefined} type @returns {number} */
  #ofSelections ({ selections }, type) {
    return selections.reduce((sum, selection) => {
      switch (selection.kind) {
        case Kind.FIELD: return sum + this.#ofField(selection, type)
        case Kind.FRAGMENT_SPREAD: return sum + this.#ofFragment(selection.name.value)
        default: return sum + this.#ofSelections(selection.selectionSet, selection.typeCondition === undefined ? type : this.#schema.getType(selection.typeCondition.name.value))
      }
    }, 0)
  }

  /** @param {FieldNode} field @param {GraphQLNamedType | undefined} parent */
  #ofField (field, parent) {
    if (field.selectionSet === undefined) return 0
    const type = parent instanceof GraphQLObjectType || parent instanceof GraphQLInterfaceType ? parent.getFields()[field.name.value]?.type : undefined
    const times = type !== undefined && isListType(getNullableType(type)) ? this.#lengthOf(field) : 1
    // Never without end: nothing times that would be no number, and cost 1.
    return Math.min(MOST_UNITS, times * (1 + this.#ofSelections(field.selectionSet, type === undefined ? undefined : getNamedType(type))))
  }

  /** @param {string} name */
  #ofFragment (name) {
    const known = this.#costs.get(name)
    if (known !== undefined) return known
    // One that spreads itself is refused by the validation, and ends here.
    this.#costs.set(name, 0)
    const fragment = this.#fragments.get(name)
    const cost = fragment === undefined ? 0 : this.#ofSelections(fragment.selectionSet, this.#schema.getType(fragment.typeCondition.name.value))
    this.#costs.set(name, cost)
    return cost
  }

  /** What `first` says, itself or by a variable. @param {FieldNode} field */
  #lengthOf (field) {
    const value = field.arguments?.find(({ name }) => name.value === 'first')?.value
    const first = value?.kind === Kind.INT ? Number(value.value) : value?.kind === Kind.VARIABLE ? this.#variables[value.name.value] : undefined
    return typeof first === 'number' && first >= 0 ? first : LENGTH
  }
}
