import type { RoomProps } from "../../app";

export function TrainRoom({ argument }: RoomProps) {
  return <h1>Train {argument}</h1>;
}
