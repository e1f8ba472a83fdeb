import { ValidationPipe, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';

/** One declared parameter of a task. */
export interface Parameter {
  /** Its declared type, as the compiler left it in the metadata. */
  readonly metatype: ArgumentMetadata['metatype'];
  /** Those bound to this parameter alone. */
  readonly pipes: readonly PipeTransform[];
  readonly schema: ArgumentMetadata['schema'];
}

/** What is said of an error that a pipe threw. */
export type PipeFailed = (error: unknown, pipe: PipeTransform) => void;

/** The pipes of a task: each argument goes through those of the method, then through those of its parameter. */
export class ArgumentPipes {
  readonly isEmpty: boolean;
  /** Each with all pipes that its argument goes through. */
  private readonly parameters: readonly Parameter[];
  /** For arguments that no parameter stands for. */
  private readonly undeclared: Parameter;

  /**
   * @param shared the pipes of the method
   * @param mayHaveRest whether the last parameter may be a rest parameter, so that further arguments are of its type
   */
  constructor(shared: readonly PipeTransform[], parameters: readonly Parameter[], mayHaveRest: boolean) {
    this.parameters = parameters.map((parameter) => ({ ...parameter, pipes: [...shared, ...parameter.pipes] }));
    const undeclared: Parameter = { metatype: undefined, pipes: shared, schema: undefined };
    this.undeclared = (mayHaveRest ? this.parameters.at(-1) : undefined) ?? undeclared;
    this.isEmpty = [undeclared, ...this.parameters].every(({ pipes }) => pipes.length === 0);
  }

  /** Whether no declared type is known, so that a `ValidationPipe` lets everything pass. */
  get validateNothing(): boolean {
    const validators = [this.undeclared, ...this.parameters].flatMap(({ pipes }) => pipes).filter(isValidator);
    return (
      validators.some((pipe) => !Reflect.get(pipe, 'expectedType')) &&
      this.parameters.every(({ metatype }) => metatype === undefined)
    );
  }

  /** Also a missing argument goes through them, as a missing body does: a pipe may refuse it, or have a default for it. */
  async apply(args: readonly unknown[], failed: PipeFailed): Promise<unknown[]> {
    const length = Math.max(args.length, this.parameters.length);
    const pending: Promise<unknown>[] = [];
    for (let index = 0; index < length; index++) pending.push(this.transform(args[index], index, failed));
    const piped = await Promise.all(pending);
    // What is still missing stays missing: a rest parameter would get an `undefined`.
    while (piped.length > args.length && piped.at(-1) === undefined) piped.pop();
    return piped;
  }

  private async transform(given: unknown, index: number, failed: PipeFailed): Promise<unknown> {
    const { metatype, pipes, schema } = this.parameters[index] ?? this.undeclared;
    // `body`, for pipes leave alone what custom decorators made.
    const metadata: ArgumentMetadata = { type: 'body', metatype, ...(schema && { schema }) };
    let value = given;
    for (const pipe of pipes) {
      try {
        value = await pipe.transform(value, metadata);
      } catch (error) {
        failed(error, pipe);
        throw error;
      }
    }
    return value;
  }
}

export function isValidator(pipe: PipeTransform): pipe is ValidationPipe {
  return pipe instanceof ValidationPipe;
}
