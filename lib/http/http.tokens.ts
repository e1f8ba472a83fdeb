/** Injects `false | ResolvedHttpOptions`. */
export const HTTP_OPTIONS = Symbol('nestjs-task-queue: http options');
