/**
 * What an import names, and the files that it may mean, the first one that exists: `./file.js` is compiled JavaScript in a package, and
 * TypeScript in ours.
 */
const extensionAlias = { '.js': ['.js', '.ts'], '.cjs': ['.cjs', '.cts'] };

/**
 * Finds the file of an import. Jest keeps the answer of a resolver for all test files of a worker. It keeps no answer of
 * `moduleNameMapper`, so a mapping of each relative import would be looked up again for each test file, in the packages too.
 *
 * @param {string} specifier
 * @param {{ defaultResolver: (specifier: string, options: object) => string }} options
 */
export default function resolve(specifier, options) {
  // A package may have a name like `bn.js`, which has no extension.
  return options.defaultResolver(specifier, specifier.startsWith('.') ? { ...options, extensionAlias } : options);
}
