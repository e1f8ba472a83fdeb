import type { PGlite, types } from '@electric-sql/pglite';

/** The parts of `@electric-sql/pglite` that are used here. */
export type PGlitePackage = Pick<typeof import('@electric-sql/pglite'), 'PGlite' | 'types'>;

/** The class `PGlite`. */
export type PGliteDriver = typeof PGlite;

/**
 * The numbers of types and of their array types, which are the same in every database (`pg_type.dat` of PostgreSQL). Statements of BullMQ and of
 * this package have no arrays of other types.
 */
export const ARRAY_TYPES = {
  bool: [16, 1000],
  int8: [20, 1016],
  int2: [21, 1005],
  int4: [23, 1007],
  text: [25, 1009],
  oid: [26, 1028],
  json: [114, 199],
  float8: [701, 1022],
  varchar: [1043, 1015],
  timestamptz: [1184, 1185],
  uuid: [2950, 2951],
  jsonb: [3802, 3807],
} as const;

/**
 * A class of PGlite that knows the array types. By itself PGlite asks the database for all of them when it starts, which takes a tenth of the
 * start.
 */
export function knowingArrayTypes({
  PGlite: Driver,
  types: { arrayParser, arraySerializer },
}: PGlitePackage): PGliteDriver {
  return class extends Driver {
    override async _initArrayTypes(): Promise<void> {
      for (const [type, array] of Object.values(ARRAY_TYPES)) {
        this.serializers[array] = (values) => arraySerializer(values, this.serializers[type], array);
        this.parsers[array] = (text) => arrayParser(text, this.parsers[type] as types.Parser, array);
      }
    }
  };
}
