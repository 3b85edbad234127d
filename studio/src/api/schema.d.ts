// Generated from the service's OpenAPI document by types.mjs; not edited by hand.
export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * Alive
         * @description The process answers.
         */
        Alive: {
            /**
             * Status
             * @default ok
             * @constant
             */
            status: "ok";
        };
        /**
         * Balance
         * @description How evenly rows are spread over classes: the sizes of the smallest and the largest, and their ratio.
         */
        Balance: {
            /** Classes */
            classes: number;
            /** Smallest */
            smallest: number;
            /** Largest */
            largest: number;
            /** Ratio */
            ratio: number;
            /**
             * Effective Classes
             * @description exp of the entropy of the classes' shares: `classes` if all are equal.
             */
            effective_classes: number;
        };
        /**
         * Calibration
         * @description What the probabilities come from: the log-odds of real at some `logits`, with straight lines between.
         *
         *     Counted of `rows` real images or points and as many samples. `held_out`: whether the real ones were kept from
         *     training. Where they were not, the discriminator may know them.
         */
        Calibration: {
            /** Logits */
            logits: number[];
            /** Log Odds */
            log_odds: number[];
            /**
             * Unit
             * @description Log-odds fall by 1 for so much below the first of `logits`.
             */
            unit: number;
            /** Rows */
            rows: number;
            /** Held Out */
            held_out: boolean;
        };
        /**
         * Checkpoint
         * @description A published checkpoint: the model at that many images. `bytes` and `sha256` are those of its download.
         *
         *     A pinned one is never retired.
         * @example {
         *       "bytes": 1204224,
         *       "created_at": "2026-01-31T12:01:00Z",
         *       "ema_halflife": 10000,
         *       "ema_halflives": [
         *         0,
         *         400,
         *         2000,
         *         10000
         *       ],
         *       "id": "ckpt_0123456789abcdef01234567",
         *       "images": 200000,
         *       "metrics": {
         *         "fid": 9.4
         *       },
         *       "object": "checkpoint",
         *       "pinned": false,
         *       "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
         *       "url": "/v1/models/mdl_0123456789abcdef01234567/checkpoints/ckpt_0123456789abcdef01234567/download"
         *     }
         */
        Checkpoint: {
            /** Id */
            id: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Object
             * @default checkpoint
             * @constant
             */
            object: "checkpoint";
            /** Images */
            images: number;
            /** Bytes */
            bytes: number;
            /** Sha256 */
            sha256: string;
            /** Metrics */
            metrics: {
                [key: string]: number | null;
            };
            /** Pinned */
            pinned: boolean;
            /**
             * Ema Halflife
             * @description The average that draws by default; 0: none; null: not known.
             */
            ema_halflife: number | null;
            /**
             * Ema Halflives
             * @description What `ema` takes, in images; 0 is the raw generator.
             */
            ema_halflives: number[];
            /**
             * Url
             * @description The download: the model part, as safetensors.
             */
            url: string;
        };
        /**
         * Conditioning
         * @description What the generator is given beside z: nothing, one of `size` classes, a vector of `size` numbers, or an image.
         *
         *     An image has `size` channels, and the height and width of the images that are made.
         */
        Conditioning: {
            /**
             * Kind
             * @default none
             * @enum {string}
             */
            kind: "none" | "class" | "vector" | "image";
            /**
             * Size
             * @default 0
             */
            size: number;
        };
        /**
         * Dataset
         * @description A dataset. What preparation finds out is null until `status` is `ready`; sizes are pixels.
         * @example {
         *       "bytes": 115008,
         *       "channels": 1,
         *       "classes": [
         *         "0",
         *         "1",
         *         "2"
         *       ],
         *       "condition_dims": 0,
         *       "count": 1797,
         *       "created_at": "2026-01-31T12:00:00Z",
         *       "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
         *       "height": 8,
         *       "id": "ds_5a1b6c7d8e9f0a1b2c3d4e5f",
         *       "job": "job_1c2d3e4f5a6b7c8d9e0f1a2b",
         *       "kind": "images",
         *       "name": "digits",
         *       "object": "dataset",
         *       "report": {
         *         "accepted": 1797,
         *         "balance": {
         *           "classes": 3,
         *           "effective_classes": 3,
         *           "largest": 599,
         *           "ratio": 1,
         *           "smallest": 599
         *         },
         *         "duplicates": 0,
         *         "per_class": {
         *           "0": 599,
         *           "1": 599,
         *           "2": 599
         *         },
         *         "skipped": []
         *       },
         *       "status": "ready",
         *       "urls": {
         *         "job": "/v1/jobs/job_1c2d3e4f5a6b7c8d9e0f1a2b",
         *         "preview": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f/preview",
         *         "self": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f"
         *       },
         *       "width": 8
         *     }
         */
        Dataset: {
            /** Id */
            id: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Object
             * @default dataset
             * @constant
             */
            object: "dataset";
            /** Name */
            name: string;
            /**
             * Status
             * @enum {string}
             */
            status: "preparing" | "ready" | "failed";
            error: components["schemas"]["JobError"] | null;
            /** Kind */
            kind: ("images" | "points") | null;
            /** Count */
            count: number | null;
            /** Width */
            width: number | null;
            /** Height */
            height: number | null;
            /**
             * Channels
             * @description 1 grey, 3 RGB; 2 and 4 the same with alpha.
             */
            channels: number | null;
            /**
             * Dims
             * @description Numbers of a point.
             */
            dims: number | null;
            /**
             * Condition Dims
             * @description Numbers of a condition vector; 0 where there is none.
             */
            condition_dims: number;
            /**
             * Input Channels
             * @description Of pairs: channels of the inputs; `channels` are the targets'.
             */
            input_channels: number | null;
            /** Classes */
            classes: string[];
            /**
             * Bytes
             * @description Size of the prepared form.
             */
            bytes: number | null;
            /**
             * Digest
             * @description Content hash of the prepared form: equal data, equal digest.
             */
            digest: string | null;
            report: components["schemas"]["Report"] | null;
            /**
             * Job
             * @description The job that prepares it.
             */
            job: string | null;
            urls: components["schemas"]["DatasetUrls"];
        };
        /**
         * DatasetImage
         * @description An image of a dataset: its number, its class or the numbers of its condition, and its address (a PNG).
         */
        DatasetImage: {
            /** Index */
            index: number;
            /** Label */
            label: string | null;
            /** Condition */
            condition: number[] | null;
            /** Url */
            url: string;
        };
        /**
         * DatasetImages
         * @description A page of a dataset's images. `last_id` is what `after` takes for the next one, while `has_more`; `total` counts
         *     the images of all pages; `sheet` is null on an empty page.
         * @example {
         *       "data": [
         *         {
         *           "index": 42,
         *           "label": "7",
         *           "url": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f/images/42.png"
         *         }
         *       ],
         *       "dataset": "digits",
         *       "first_id": 42,
         *       "has_more": true,
         *       "last_id": 42,
         *       "object": "list",
         *       "sheet": {
         *         "columns": 1,
         *         "height": 8,
         *         "rows": 1,
         *         "url": "/v1/datasets/ds_5a1b6c7d8e9f0a1b2c3d4e5f/images.png?limit=1&order=spread",
         *         "width": 8
         *       },
         *       "total": 1797
         *     }
         */
        DatasetImages: {
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            /** Dataset */
            dataset: string;
            /** Data */
            data: components["schemas"]["DatasetImage"][];
            /** First Id */
            first_id: number | null;
            /** Last Id */
            last_id: number | null;
            /** Has More */
            has_more: boolean;
            /** Total */
            total: number;
            sheet: components["schemas"]["ImageSheet"] | null;
        };
        /**
         * DatasetUrls
         * @description Where to go from a dataset; `job` is the preparation.
         */
        DatasetUrls: {
            /** Self */
            self: string;
            /** Preview */
            preview: string;
            /** Job */
            job: string | null;
        };
        /**
         * Direction
         * @description A direction of the latent space: a unit vector, and its share of all that varies.
         */
        Direction: {
            /** Index */
            index: number;
            /** Strength */
            strength: number;
            /** Vector */
            vector: number[];
        };
        /**
         * DirectionList
         * @description Along which a model's pictures change most, the strongest first.
         * @example {
         *       "checkpoint": "ckpt_0123456789abcdef01234567",
         *       "data": [
         *         {
         *           "index": 0,
         *           "strength": 0.11,
         *           "vector": [
         *             0.6,
         *             -0.8
         *           ]
         *         }
         *       ],
         *       "ema": 10000,
         *       "method": "pca",
         *       "model": "digits",
         *       "object": "directions"
         *     }
         */
        DirectionList: {
            /**
             * Object
             * @default directions
             * @constant
             */
            object: "directions";
            /** Model */
            model: string;
            /** Checkpoint */
            checkpoint: string;
            /**
             * Ema
             * @description Half-life of the average that draws; 0: the raw generator; null: not known.
             */
            ema: number | null;
            /**
             * Method
             * @enum {string}
             */
            method: "pca" | "factorisation";
            /** Data */
            data: components["schemas"]["Direction"][];
        };
        /**
         * Estimate
         * @description What a job will take. `basis`: `counted` from its network, `measured_jobs` (scaled by such jobs of this server),
         *     or `measured` (by the job itself, once it has run for some seconds).
         */
        Estimate: {
            /** Seconds */
            seconds?: number | null;
            /** Memory Bytes */
            memory_bytes?: number | null;
            /** Checkpoint Bytes */
            checkpoint_bytes?: number | null;
            /** Basis */
            basis: string;
        } & {
            [key: string]: unknown;
        };
        /**
         * Event
         * @description Something that happened to a job. Ids grow in the order in which things happened: `after` takes one.
         * @example {
         *       "created_at": "2026-01-31T12:00:01Z",
         *       "data": {
         *         "to": "running"
         *       },
         *       "id": 17,
         *       "job": "job_0123",
         *       "object": "event",
         *       "type": "status"
         *     }
         */
        Event: {
            /** Id */
            id: number;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Object
             * @default event
             * @constant
             */
            object: "event";
            /** Job */
            job: string;
            /** Type */
            type: string;
            /** Data */
            data: {
                [key: string]: unknown;
            };
        };
        /**
         * Formula
         * @description A game in symbols: r = D(x) and f = D(G(z)) are logits of real and generated data, σ⁺ is softplus, all are means
         *     over a batch. As text, and as MathML for pages.
         */
        Formula: {
            /** Discriminator */
            discriminator: string;
            /** Generator */
            generator: string;
            /** Kept Lipschitz By */
            kept_lipschitz_by: string | null;
            mathml: components["schemas"]["Game"];
        };
        /**
         * Game
         * @description What either player minimises, and what keeps the discriminator Lipschitz; null where nothing does.
         */
        Game: {
            /** Discriminator */
            discriminator: string;
            /** Generator */
            generator: string;
            /** Kept Lipschitz By */
            kept_lipschitz_by: string | null;
        };
        /**
         * ImageShape
         * @description Images of `channels` × `height` × `width`, values in [-1, 1] inside the networks, uint8 outside.
         *
         *     1 is grey, 3 is RGB; 2 and 4 are these with an alpha channel behind, not premultiplied (-1 or 0: transparent).
         */
        ImageShape: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "images";
            /**
             * Channels
             * @enum {integer}
             */
            channels: 1 | 2 | 3 | 4;
            /** Height */
            height: number;
            /** Width */
            width: number;
        };
        /**
         * ImageSheet
         * @description A page's images as one picture, row by row without gaps: image i is in row `i // columns`. Cells are pixels.
         */
        ImageSheet: {
            /** Url */
            url: string;
            /** Columns */
            columns: number;
            /** Rows */
            rows: number;
            /** Width */
            width: number;
            /** Height */
            height: number;
        };
        /**
         * Job
         * @description A job. `spec` is what was asked and what was chosen for it, `spec.chosen` why; times are null until they come.
         * @example {
         *       "attempt": 0,
         *       "created_at": "2026-01-31T12:00:00Z",
         *       "dataset": "digits",
         *       "device": "cpu",
         *       "estimate": {
         *         "basis": "counted",
         *         "checkpoint_bytes": 9437184,
         *         "memory_bytes": 549453824,
         *         "seconds": 61
         *       },
         *       "id": "job_0123456789abcdef01234567",
         *       "metadata": {},
         *       "model": "digits",
         *       "object": "job",
         *       "priority": 0,
         *       "progress": {
         *         "eta_seconds": 43.9,
         *         "images": 64000,
         *         "images_per_second": 3100,
         *         "percent": 32,
         *         "total_images": 200000
         *       },
         *       "seed": 0,
         *       "spec": {
         *         "batch_size": 64,
         *         "chosen": {
         *           "batch_size": "small images on a CPU"
         *         },
         *         "recipe": "r3gan",
         *         "seed": 0
         *       },
         *       "started_at": "2026-01-31T12:00:01Z",
         *       "status": "running",
         *       "type": "train",
         *       "urls": {
         *         "cancel": "/v1/jobs/job_0123456789abcdef01234567/cancel",
         *         "events": "/v1/jobs/job_0123456789abcdef01234567/events",
         *         "metrics": "/v1/jobs/job_0123456789abcdef01234567/metrics",
         *         "preview": "/v1/jobs/job_0123456789abcdef01234567/preview",
         *         "self": "/v1/jobs/job_0123456789abcdef01234567"
         *       },
         *       "worker": "wrk_0a1b2c3d4e5f60718293a4b5"
         *     }
         */
        Job: {
            /** Id */
            id: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Object
             * @default job
             * @constant
             */
            object: "job";
            /**
             * Type
             * @enum {string}
             */
            type: "prepare" | "train" | "evaluate" | "project";
            /**
             * Status
             * @enum {string}
             */
            status: "queued" | "running" | "pausing" | "paused" | "cancelling" | "cancelled" | "succeeded" | "failed";
            /** Spec */
            spec: {
                [key: string]: unknown;
            };
            /** Model */
            model: string | null;
            /** Dataset */
            dataset: string | null;
            /** Seed */
            seed: number | null;
            /**
             * Attempt
             * @description Unexplained deaths since the last published checkpoint; three end the job.
             */
            attempt: number;
            /** Priority */
            priority: number;
            progress: components["schemas"]["Progress"] | null;
            /** @description Of a training: before it starts, and refined once it runs. */
            estimate: components["schemas"]["Estimate"] | null;
            /** @description Of a training: when it ends or is let go of. */
            measured: components["schemas"]["Measured"] | null;
            /**
             * Queue Position
             * @description Jobs that go before it, itself included; null unless queued.
             */
            queue_position: number | null;
            error: components["schemas"]["JobError"] | null;
            /**
             * Result
             * @description Of an evaluation or projection that has succeeded.
             */
            result: {
                [key: string]: unknown;
            } | null;
            /** Ended By */
            ended_by: string | null;
            /** Retry Of */
            retry_of: string | null;
            /** Started At */
            started_at: string | null;
            /** Finished At */
            finished_at: string | null;
            /** Worker */
            worker: string | null;
            /** Device */
            device: string | null;
            /** Metadata */
            metadata: {
                [key: string]: string;
            };
            urls: components["schemas"]["JobUrls"];
        };
        /**
         * JobError
         * @description Why a job or a preparation failed; `code` names the cause (`out_of_memory`, `diverged`, …).
         */
        JobError: {
            /** Code */
            code: string;
            /** Message */
            message: string;
            /** Param */
            param?: string | null;
        };
        /**
         * JobUrls
         * @description Where to go from a job.
         */
        JobUrls: {
            /** Self */
            self: string;
            /** Events */
            events: string;
            /** Metrics */
            metrics: string;
            /** Preview */
            preview: string;
            /** Cancel */
            cancel: string;
        };
        /** List[Dataset] */
        List_Dataset_: {
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["Dataset"][];
            /** First Id */
            first_id: string | number | null;
            /** Last Id */
            last_id: string | number | null;
            /** Has More */
            has_more: boolean;
        };
        /** List[Event] */
        List_Event_: {
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["Event"][];
            /** First Id */
            first_id: string | number | null;
            /** Last Id */
            last_id: string | number | null;
            /** Has More */
            has_more: boolean;
        };
        /** List[Job] */
        List_Job_: {
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["Job"][];
            /** First Id */
            first_id: string | number | null;
            /** Last Id */
            last_id: string | number | null;
            /** Has More */
            has_more: boolean;
        };
        /** List[Model] */
        List_Model_: {
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["Model"][];
            /** First Id */
            first_id: string | number | null;
            /** Last Id */
            last_id: string | number | null;
            /** Has More */
            has_more: boolean;
        };
        /** List[Recipe] */
        List_Recipe_: {
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["Recipe"][];
            /** First Id */
            first_id: string | number | null;
            /** Last Id */
            last_id: string | number | null;
            /** Has More */
            has_more: boolean;
        };
        /**
         * Measured
         * @description What a job has taken: seconds of training, the most memory, its pace, and figures that a break had changed.
         */
        Measured: {
            /** Seconds */
            seconds: number;
            /** Peak Memory Bytes */
            peak_memory_bytes: number;
            /** Images Per Second */
            images_per_second?: number | null;
            /**
             * Changes
             * @default []
             */
            changes: {
                [key: string]: unknown;
            }[];
        } & {
            [key: string]: unknown;
        };
        /**
         * Memory
         * @description What of a checkpoint lies in this service's memory: its generator's bytes, and whether it stays.
         * @example {
         *       "bytes": 2236416,
         *       "checkpoint": "ckpt_0123456789abcdef01234567",
         *       "kept": false,
         *       "loaded": true,
         *       "model": "digits",
         *       "object": "memory"
         *     }
         */
        Memory: {
            /**
             * Object
             * @default memory
             * @constant
             */
            object: "memory";
            /** Model */
            model: string;
            /** Checkpoint */
            checkpoint: string;
            /** Loaded */
            loaded: boolean;
            /** Bytes */
            bytes: number;
            /** Kept */
            kept: boolean;
        };
        /**
         * Metrics
         * @description A job's time series: one row a report, keyed by `images` seen; null where a value could not be estimated.
         * @example {
         *       "data": [
         *         {
         *           "images": 6400,
         *           "loss_discriminator": 1.21,
         *           "loss_generator": 0.84
         *         }
         *       ],
         *       "job": "job_0123456789abcdef01234567",
         *       "object": "metrics"
         *     }
         */
        Metrics: {
            /**
             * Object
             * @default metrics
             * @constant
             */
            object: "metrics";
            /** Job */
            job: string;
            /** Data */
            data: {
                [key: string]: number | null;
            }[];
        };
        /**
         * Model
         * @description A model: what is trained under a name. `loaded` says whether this service has it ready in memory.
         * @example {
         *       "best": "ckpt_0123456789abcdef01234567",
         *       "checkpoints": [
         *         {
         *           "bytes": 1204224,
         *           "created_at": "2026-01-31T12:01:00Z",
         *           "ema_halflife": 10000,
         *           "ema_halflives": [
         *             0,
         *             400,
         *             2000,
         *             10000
         *           ],
         *           "id": "ckpt_0123456789abcdef01234567",
         *           "images": 200000,
         *           "metrics": {
         *             "fid": 9.4
         *           },
         *           "object": "checkpoint",
         *           "pinned": false,
         *           "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
         *           "url": "/v1/models/mdl_0123456789abcdef01234567/checkpoints/ckpt_0123456789abcdef01234567/download"
         *         }
         *       ],
         *       "classes": [
         *         "0",
         *         "1",
         *         "2"
         *       ],
         *       "created_at": "2026-01-31T12:00:00Z",
         *       "dataset": "digits",
         *       "id": "mdl_0123456789abcdef01234567",
         *       "latent_dim": 64,
         *       "loaded": true,
         *       "metric": "fid",
         *       "name": "digits",
         *       "network": {
         *         "architecture": "r3",
         *         "batch_norm": false,
         *         "conditioning": {
         *           "kind": "class",
         *           "size": 10
         *         },
         *         "latent_dim": 64,
         *         "latent_distribution": "normal",
         *         "shape": {
         *           "channels": 1,
         *           "height": 8,
         *           "kind": "images",
         *           "width": 8
         *         },
         *         "spectral_norm": false,
         *         "width": 32
         *       },
         *       "object": "model",
         *       "recipe": "r3gan"
         *     }
         */
        Model: {
            /** Id */
            id: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Object
             * @default model
             * @constant
             */
            object: "model";
            /** Name */
            name: string;
            network: components["schemas"]["NetworkSpec"];
            /** Recipe */
            recipe: string;
            /** Dataset */
            dataset: string | null;
            /** Classes */
            classes: string[];
            /** Latent Dim */
            latent_dim: number;
            /** Loaded */
            loaded: boolean;
            /**
             * Metric
             * @description What its best checkpoint is judged by.
             * @enum {string}
             */
            metric: "fid" | "kid" | "precision" | "recall" | "density" | "coverage" | "sliced_wasserstein" | "wasserstein_exact" | "wasserstein2_exact" | "near_copies" | "js_estimate" | "wasserstein_estimate";
            /**
             * Best
             * @description The best checkpoint's id; null where the metric was measured of none.
             */
            best: string | null;
            /**
             * Checkpoints
             * @description Newest first.
             */
            checkpoints: components["schemas"]["Checkpoint"][];
        };
        /**
         * Neighbour
         * @description A row of the training data: its number, how far it is from the sample, and itself (a PNG, or its numbers).
         */
        Neighbour: {
            /** Index */
            index: number;
            /** Distance */
            distance: number;
            /** Label */
            label?: string | null;
            /** B64 Json */
            b64_json?: string | null;
            /** Point */
            point?: number[] | null;
        };
        /**
         * Neighbours
         * @description The data nearest to a sample, nearest first.
         *
         *     Distances of images are root mean square differences of levels as a share of the range, 0 to 1; of points,
         *     Euclidean. `typical` is how far the nearest of them is from its own nearest other row; null where it is alone.
         * @example {
         *       "checkpoint": "ckpt_0123456789abcdef01234567",
         *       "data": [
         *         {
         *           "b64_json": "iVBORw0KGgo…",
         *           "distance": 0.12,
         *           "index": 512,
         *           "label": "7"
         *         }
         *       ],
         *       "dataset": "digits",
         *       "ema": 10000,
         *       "label": "7",
         *       "model": "digits",
         *       "object": "neighbours",
         *       "seed": 42,
         *       "typical": 0.11
         *     }
         */
        Neighbours: {
            /**
             * Object
             * @default neighbours
             * @constant
             */
            object: "neighbours";
            /** Model */
            model: string;
            /** Checkpoint */
            checkpoint: string;
            /** Dataset */
            dataset: string | null;
            /** Seed */
            seed: number;
            /** Label */
            label: string | null;
            /**
             * Ema
             * @description Half-life of the average that drew; 0: the raw generator; null: not known.
             */
            ema: number | null;
            /** Typical */
            typical: number | null;
            /** Data */
            data: components["schemas"]["Neighbour"][];
        };
        /**
         * NetworkSpec
         * @description A generator and its discriminator, fully described: the same spec always builds the same networks.
         *
         *     `width` is the architecture's base channel count (dcgan, plain: ngf = ndf; resnet, r3, unet: channels
         *     of the finest stage; mlp: units a layer). `batch_norm` and `spectral_norm` speak of the discriminator.
         */
        NetworkSpec: {
            /**
             * Architecture
             * @enum {string}
             */
            architecture: "mlp" | "dcgan" | "plain" | "resnet" | "r3" | "unet";
            /** Width */
            width: number;
            /** Latent Dim */
            latent_dim: number;
            /**
             * Latent Distribution
             * @enum {string}
             */
            latent_distribution: "normal" | "uniform";
            /** Shape */
            shape: components["schemas"]["ImageShape"] | components["schemas"]["PointShape"];
            /**
             * @default {
             *       "kind": "none",
             *       "size": 0
             *     }
             */
            conditioning: components["schemas"]["Conditioning"];
            /**
             * Batch Norm
             * @default false
             */
            batch_norm: boolean;
            /**
             * Spectral Norm
             * @default false
             */
            spectral_norm: boolean;
        };
        /**
         * PointShape
         * @description Points of `dims` numbers; standardised (zero mean, unit variance) inside the networks, the data's own outside.
         */
        PointShape: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "points";
            /** Dims */
            dims: number;
        };
        /**
         * Progress
         * @description Where a job stands. `percent` is 0 to 100; the rate is per second of wall clock.
         */
        Progress: {
            /** Images */
            images: number;
            /** Total Images */
            total_images?: number | null;
            /** Percent */
            percent: number;
            /** Images Per Second */
            images_per_second?: number | null;
            /** Eta Seconds */
            eta_seconds?: number | null;
        } & {
            [key: string]: unknown;
        };
        /**
         * Projected
         * @description The latent of an image, the class that it was looked for as, and how far its picture is from the image.
         */
        Projected: {
            /** Index */
            index: number;
            /** Latent */
            latent: number[];
            /** Label */
            label: string | null;
            /**
             * Distance
             * @description Root mean square of levels, as a share of the range.
             */
            distance: number;
        };
        /**
         * Projection
         * @description Images, as latents of a model.
         * @example {
         *       "checkpoint": "ckpt_0123456789abcdef01234567",
         *       "data": [
         *         {
         *           "distance": 0.08,
         *           "index": 0,
         *           "label": "3",
         *           "latent": [
         *             0.5,
         *             -1.2
         *           ]
         *         }
         *       ],
         *       "ema": 10000,
         *       "model": "digits",
         *       "object": "projection"
         *     }
         */
        Projection: {
            /**
             * Object
             * @default projection
             * @constant
             */
            object: "projection";
            /** Model */
            model: string;
            /** Checkpoint */
            checkpoint: string;
            /**
             * Ema
             * @description Half-life of the average that draws; null: the default.
             */
            ema: number | null;
            /** Data */
            data: components["schemas"]["Projected"][];
        };
        /**
         * Ready
         * @description Whether the service can do its work, and how its parts are. `degraded`: jobs are accepted and run later.
         *
         *     `engine` is `failed` where the device asked for is not there: sampling answers 503, all else works.
         * @example {
         *       "broker": "ok",
         *       "database": "ok",
         *       "engine": "ready",
         *       "status": "ready",
         *       "storage": "ok"
         *     }
         */
        Ready: {
            /**
             * Status
             * @enum {string}
             */
            status: "ready" | "unavailable";
            /**
             * Database
             * @enum {string}
             */
            database: "ok" | "away";
            /**
             * Storage
             * @enum {string}
             */
            storage: "ok" | "away";
            /**
             * Broker
             * @enum {string}
             */
            broker: "ok" | "degraded";
            /**
             * Engine
             * @enum {string}
             */
            engine: "loading" | "ready" | "failed";
        };
        /**
         * Recipe
         * @description Published settings under a name, which is its id as well. They come with the program, and have no time.
         * @example {
         *       "about": "The discriminator is that of the game of 2014; the generator ascends log D(G(z)) instead. …",
         *       "default": false,
         *       "formula": {
         *         "discriminator": "σ⁺(−r) + σ⁺(f)",
         *         "generator": "σ⁺(−f)",
         *         "mathml": {
         *           "discriminator": "<math>…</math>",
         *           "generator": "<math>…</math>"
         *         }
         *       },
         *       "id": "dcgan",
         *       "name": "dcgan",
         *       "object": "recipe",
         *       "settings": {
         *         "betas": [
         *           0.5,
         *           0.999
         *         ],
         *         "learning_rate": 0.0002,
         *         "lipschitz": "none",
         *         "loss": "non_saturating"
         *       },
         *       "source": {
         *         "authors": "Radford, Metz and Chintala",
         *         "title": "Unsupervised representation learning with deep convolutional generative adversarial networks",
         *         "url": "https://arxiv.org/abs/1511.06434",
         *         "year": 2016
         *       },
         *       "summary": "The classic: the same game with a generator's gradient that does not fade."
         *     }
         */
        Recipe: {
            /**
             * Id
             * @enum {string}
             */
            id: "minimax" | "dcgan" | "lsgan" | "wgan" | "wgan-gp" | "sngan" | "r3gan";
            /**
             * Object
             * @default recipe
             * @constant
             */
            object: "recipe";
            /**
             * Name
             * @enum {string}
             */
            name: "minimax" | "dcgan" | "lsgan" | "wgan" | "wgan-gp" | "sngan" | "r3gan";
            /**
             * Default
             * @description Whether it is taken where a request names none.
             */
            default: boolean;
            /**
             * Summary
             * @description A line.
             */
            summary: string;
            /**
             * About
             * @description A paragraph: what it does, when to choose it and how it fails.
             */
            about: string;
            formula: components["schemas"]["Formula"];
            source: components["schemas"]["Source"];
            /**
             * Settings
             * @description Every figure, before data and device change what they must.
             */
            settings: {
                [key: string]: unknown;
            };
        };
        /**
         * Report
         * @description What preparation did: files accepted and skipped (the first of them by name), copies, examples of each class.
         */
        Report: {
            /**
             * Accepted
             * @default 0
             */
            accepted: number;
            /**
             * Skipped
             * @default []
             */
            skipped: components["schemas"]["Skipped"][];
            /**
             * Skipped Total
             * @default 0
             */
            skipped_total: number;
            /**
             * Duplicates
             * @default 0
             */
            duplicates: number;
            /**
             * Per Class
             * @default {}
             */
            per_class: {
                [key: string]: number;
            };
            /**
             * Conditions
             * @description How the numbers of a condition vector are called, in their order.
             * @default []
             */
            conditions: string[];
            /** @description Null where there are no classes. */
            balance?: components["schemas"]["Balance"] | null;
            /**
             * Notes
             * @default []
             */
            notes: string[];
        } & {
            [key: string]: unknown;
        };
        /**
         * Sample
         * @description One row of a JSON answer: a sample, or a frame of an interpolation.
         */
        Sample: {
            /** Index */
            index: number;
            /**
             * Seed
             * @description Null where it came from a latent, or lies between keyframes.
             */
            seed: number | null;
            /**
             * Label
             * @description Null where the model takes no class, or between two of them.
             */
            label: string | null;
            /**
             * Mixture
             * @description Between two labels: class → share.
             */
            mixture?: {
                [key: string]: number;
            } | null;
            /**
             * Condition
             * @description Of a model conditioned on numbers.
             */
            condition?: number[] | null;
            /**
             * Input
             * @description Of a model of pairs: sha256 of the input's levels, as it was given.
             */
            input?: string | null;
            /**
             * Latent
             * @description As the generator got it: truncation is done already.
             */
            latent?: number[] | null;
            /**
             * B64 Json
             * @description The image as a PNG, in base64.
             */
            b64_json?: string | null;
            /**
             * Point
             * @description In the data's own units.
             */
            point?: number[] | null;
        };
        /**
         * SampleList
         * @description Samples, or the frames of an interpolation, as JSON; `images` is what the checkpoint had seen.
         * @example {
         *       "checkpoint": "ckpt_0123456789abcdef01234567",
         *       "data": [
         *         {
         *           "index": 0,
         *           "label": "3",
         *           "latent": [
         *             0.234,
         *             -1.29,
         *             0.566
         *           ],
         *           "seed": 7
         *         }
         *       ],
         *       "ema": 10000,
         *       "images": 200000,
         *       "model": "digits",
         *       "object": "samples",
         *       "truncation": 1
         *     }
         */
        SampleList: {
            /**
             * Object
             * @enum {string}
             */
            object: "samples" | "interpolation";
            /** Model */
            model: string;
            /** Checkpoint */
            checkpoint: string;
            /** Images */
            images: number;
            /** Truncation */
            truncation: number;
            /**
             * Ema
             * @description Half-life of the average that drew; 0: the raw generator; null: not known.
             */
            ema: number | null;
            /** Data */
            data: components["schemas"]["Sample"][];
        };
        /**
         * Score
         * @description What the discriminator thinks: its logit, and the probability that this is real where half of all are.
         *
         *     `probability` is null for a checkpoint without a calibration. `label` is the class that it was judged as.
         */
        Score: {
            /** Index */
            index: number;
            /** Logit */
            logit: number;
            /** Probability */
            probability: number | null;
            /** Label */
            label?: string | null;
        };
        /**
         * Scores
         * @description Images (or points) as a discriminator judges them.
         * @example {
         *       "calibration": {
         *         "held_out": true,
         *         "log_odds": [
         *           -2.2,
         *           1.8
         *         ],
         *         "logits": [
         *           -1,
         *           2
         *         ],
         *         "rows": 170,
         *         "unit": 1.4
         *       },
         *       "checkpoint": "ckpt_0123456789abcdef01234567",
         *       "data": [
         *         {
         *           "index": 0,
         *           "label": "3",
         *           "logit": 1.3,
         *           "probability": 0.7
         *         }
         *       ],
         *       "model": "digits",
         *       "object": "scores"
         *     }
         */
        Scores: {
            /**
             * Object
             * @default scores
             * @constant
             */
            object: "scores";
            /** Model */
            model: string;
            /** Checkpoint */
            checkpoint: string;
            calibration: components["schemas"]["Calibration"] | null;
            /** Data */
            data: components["schemas"]["Score"][];
        };
        /**
         * Session
         * @description Who calls: the name of its key and what that is for (empty: nobody), and until when it is so (null: until the key
         *     is revoked). Where no keys are required, everybody may do everything.
         * @example {
         *       "expires_at": "2026-01-01T12:00:00Z",
         *       "key": "studio",
         *       "keys_required": true,
         *       "object": "session",
         *       "scopes": [
         *         "read",
         *         "sample"
         *       ]
         *     }
         */
        Session: {
            /**
             * Object
             * @default session
             * @constant
             */
            object: "session";
            /** Keys Required */
            keys_required: boolean;
            /** Key */
            key: string | null;
            /** Scopes */
            scopes: string[];
            /** Expires At */
            expires_at: string | null;
        };
        /**
         * Skipped
         * @description A file that preparation left out, and why.
         */
        Skipped: {
            /** File */
            file: string;
            /** Reason */
            reason: string;
        };
        /**
         * Source
         * @description The paper that the figures are from.
         */
        Source: {
            /** Authors */
            authors: string;
            /** Title */
            title: string;
            /** Year */
            year: number;
            /** Url */
            url: string;
        };
        /**
         * TrainingEstimate
         * @description What a training would be, every figure chosen (`spec`, with the reasons in `spec.chosen`), and what it will take:
         *     null where its network is not counted.
         * @example {
         *       "dataset": "digits",
         *       "estimate": {
         *         "basis": "counted",
         *         "checkpoint_bytes": 9437184,
         *         "memory_bytes": 549453824,
         *         "seconds": 61
         *       },
         *       "model": "digits",
         *       "object": "estimate",
         *       "spec": {
         *         "batch_size": 64,
         *         "chosen": {
         *           "batch_size": "as published for r3gan"
         *         },
         *         "recipe": "r3gan",
         *         "seed": 0
         *       },
         *       "type": "train"
         *     }
         */
        TrainingEstimate: {
            /**
             * Object
             * @default estimate
             * @constant
             */
            object: "estimate";
            /**
             * Type
             * @default train
             * @constant
             */
            type: "train";
            /** Dataset */
            dataset: string;
            /** Model */
            model: string;
            /** Spec */
            spec: {
                [key: string]: unknown;
            };
            estimate: components["schemas"]["Estimate"] | null;
        };
        /**
         * CheckpointRequest
         * @description Body of `PATCH /v1/models/{model}/checkpoints/{checkpoint}`: a pinned checkpoint is never retired.
         */
        CheckpointRequest: {
            /** Pinned */
            pinned: boolean;
        };
        /**
         * DatasetRequest
         * @description JSON body of `POST /v1/datasets`; the multipart form has the same fields beside `file`.
         */
        DatasetRequest: {
            /** Name */
            name: string;
            source: components["schemas"]["FolderSource"];
            /**
             * Width
             * @default null
             */
            width: number | null;
            /**
             * Height
             * @default null
             */
            height: number | null;
        };
        /**
         * Edit
         * @description A step along one of a model's directions, by its number; `amount` is in standard deviations of the prior.
         */
        Edit: {
            /** Direction */
            direction: number;
            /** Amount */
            amount: number;
            /**
             * Method
             * @default pca
             * @enum {string}
             */
            method: "pca" | "factorisation";
        };
        /**
         * EvaluateRequest
         * @description Body of `POST /v1/jobs` with `type: evaluate`: a model against data, or a dataset `against` another.
         *
         *     `dataset` is what the samples of `model`, or the rows of `against`, are compared with; left out, it is the model's
         *     own. `samples` are rows taken of either side, `steps` those of the discriminator and of the critic that are trained
         *     for `js_estimate` and `wasserstein_estimate`.
         */
        EvaluateRequest: {
            /**
             * Type
             * @constant
             */
            type: "evaluate";
            /**
             * Model
             * @default null
             */
            model: string | null;
            /**
             * Dataset
             * @default null
             */
            dataset: string | null;
            /**
             * Against
             * @default null
             */
            against: string | null;
            /**
             * Metrics
             * @default null
             */
            metrics: string[] | null;
            /**
             * Samples
             * @default null
             */
            samples: number | null;
            /**
             * Steps
             * @default null
             */
            steps: number | null;
            /**
             * Seed
             * @default 0
             */
            seed: number;
            /**
             * Priority
             * @description Higher goes first, then what waits longer; what runs is not interrupted.
             * @default 0
             */
            priority: number;
            /**
             * Metadata
             * @default {}
             */
            metadata: {
                [key: string]: string;
            };
        };
        /**
         * FieldError
         * @description One field that is wrong: a JSON pointer (RFC 6901) into the body, or to the query's field, and why.
         */
        FieldError: {
            /** Pointer */
            pointer: string;
            /** Message */
            message: string;
        };
        /**
         * FolderSource
         * @description A folder below the server's import directory (`GANYMEDE_IMPORT_DIR`).
         */
        FolderSource: {
            /** Path */
            path: string;
        };
        /**
         * InterpolationSpec
         * @description Body of `POST /v1/interpolations`. `frames` is the total with end points; `loop` leaves the repeat out.
         *
         *     `truncation` and `ema` are as in a `SampleSpec`. `input` is that of all keyframes which have none of their own;
         *     without any, one is drawn for the whole walk from the first keyframe's seed.
         */
        InterpolationSpec: {
            /** Model */
            model: string;
            /** Keyframes */
            keyframes: components["schemas"]["Keyframe"][];
            /**
             * Input
             * @default null
             */
            input: string | null;
            /**
             * Frames
             * @default 16
             */
            frames: number;
            /**
             * Method
             * @default slerp
             * @enum {string}
             */
            method: "slerp" | "lerp";
            /**
             * Easing
             * @default linear
             * @enum {string}
             */
            easing: "linear" | "ease_in_out";
            /**
             * Loop
             * @default false
             */
            loop: boolean;
            /**
             * Truncation
             * @default 1
             */
            truncation: number;
            /**
             * Ema
             * @default null
             */
            ema: number | "raw" | null;
            /**
             * Fps
             * @default 12
             */
            fps: number;
            /**
             * Layout
             * @default null
             */
            layout: ("strip" | "animation") | null;
            /**
             * Size
             * @default null
             */
            size: number | null;
            /**
             * Return
             * @default null
             */
            return: ("image" | "latent")[] | null;
        };
        /**
         * Keyframe
         * @description A point to walk through: a seed, a latent or an image, with a label, condition or input if the model takes one.
         *
         *     An image is projected first: what is walked through is the model's picture that comes nearest to it.
         */
        Keyframe: {
            /**
             * Seed
             * @default null
             */
            seed: number | null;
            /**
             * Latent
             * @default null
             */
            latent: number[] | null;
            /**
             * Image
             * @default null
             */
            image: string | null;
            /**
             * Label
             * @default null
             */
            label: string | number | null;
            /**
             * Condition
             * @default null
             */
            condition: number[] | null;
            /**
             * Input
             * @default null
             */
            input: string | null;
        };
        /**
         * MemoryRequest
         * @description Body of `PUT /v1/models/{model}/memory`: a generator that is kept never leaves memory to make room.
         */
        MemoryRequest: {
            /**
             * Kept
             * @default false
             */
            kept: boolean;
        };
        /**
         * NetworkRequest
         * @description The overridable part of a network; what is left out is chosen.
         */
        NetworkRequest: {
            /**
             * Architecture
             * @default null
             */
            architecture: ("mlp" | "dcgan" | "plain" | "resnet" | "r3" | "unet") | null;
            /**
             * Width
             * @default null
             */
            width: number | null;
            /**
             * Latent Dim
             * @default null
             */
            latent_dim: number | null;
            /**
             * Latent Distribution
             * @default null
             */
            latent_distribution: ("normal" | "uniform") | null;
        };
        /**
         * Problem
         * @description An error (RFC 9457). `code` is stable and machine-readable; `param` names the field at fault, dotted.
         * @example {
         *       "code": "not_found",
         *       "detail": "there is no job job_0123456789abcdef01234567",
         *       "errors": [],
         *       "param": null,
         *       "request_id": "req_5f1c0f3c8d2a4b6e9a7d1c2b",
         *       "status": 404,
         *       "title": "Not Found",
         *       "type": "urn:ganymede:error:not_found"
         *     }
         */
        Problem: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** Status */
            status: number;
            /** Detail */
            detail: string;
            /** Code */
            code: string;
            /**
             * Param
             * @default null
             */
            param: string | null;
            /**
             * Errors
             * @default []
             */
            errors: components["schemas"]["FieldError"][];
            /**
             * Request Id
             * @default null
             */
            request_id: string | null;
        };
        /**
         * ProjectRequest
         * @description Body of `POST /v1/projections`: the images whose latents are looked for.
         *
         *     `labels`, `condition` and `inputs` are as in a `ScoreSpec`: of a model of classes, an image without a label gets the
         *     class that it is nearest in. The best `starts` of `candidates` random latents are moved for `steps` steps each.
         */
        ProjectRequest: {
            /** Model */
            model: string;
            /** Images */
            images: string[];
            /**
             * Labels
             * @default null
             */
            labels: (string | number)[] | null;
            /**
             * Condition
             * @default null
             */
            condition: number[] | number[][] | null;
            /**
             * Inputs
             * @default null
             */
            inputs: string[] | null;
            /**
             * Ema
             * @default null
             */
            ema: number | "raw" | null;
            /**
             * Steps
             * @default 200
             */
            steps: number;
            /**
             * Starts
             * @default 4
             */
            starts: number;
            /**
             * Candidates
             * @default 256
             */
            candidates: number;
            /**
             * Seed
             * @default 0
             */
            seed: number;
            /**
             * Priority
             * @description Higher goes first, then what waits longer; what runs is not interrupted.
             * @default 0
             */
            priority: number;
            /**
             * Metadata
             * @default {}
             */
            metadata: {
                [key: string]: string;
            };
        };
        /**
         * SampleSpec
         * @description Body of `POST /v1/samples`. One of `seeds`, `seed` (+ `count`) or `latents` says which samples.
         *
         *     `truncation` is ψ in [0, 1]; `ema` is one of the checkpoint's averages, by its half-life. `labels` has one entry a
         *     sample, or one for all; `condition` is a vector for all samples or one a sample; `inputs`, for models of pairs, has
         *     one entry a sample, or one for all. A label left out is drawn from the seed by the training data's frequencies, an
         *     input from those that the checkpoint carries. `edits` move every latent, after truncation.
         */
        SampleSpec: {
            /** Model */
            model: string;
            /**
             * Seeds
             * @default null
             */
            seeds: number[] | null;
            /**
             * Seed
             * @default null
             */
            seed: number | null;
            /**
             * Count
             * @default null
             */
            count: number | null;
            /**
             * Latents
             * @default null
             */
            latents: number[][] | null;
            /**
             * Labels
             * @default null
             */
            labels: (string | number)[] | null;
            /**
             * Condition
             * @default null
             */
            condition: number[] | number[][] | null;
            /**
             * Inputs
             * @default null
             */
            inputs: string[] | null;
            /**
             * Truncation
             * @default 1
             */
            truncation: number;
            /**
             * Edits
             * @default null
             */
            edits: components["schemas"]["Edit"][] | null;
            /**
             * Ema
             * @default null
             */
            ema: number | "raw" | null;
            /**
             * Layout
             * @default null
             */
            layout: ("grid" | "separate") | null;
            /**
             * Columns
             * @default null
             */
            columns: number | null;
            /**
             * Size
             * @default null
             */
            size: number | null;
            /**
             * Return
             * @default null
             */
            return: ("image" | "latent")[] | null;
        };
        /**
         * ScoreSpec
         * @description Body of `POST /v1/scores`: `images` for a model of images, `points` in the data's own units for one of points.
         *
         *     `labels`, `condition` and `inputs` say what each is to be judged as, as in a `SampleSpec`; of a model of classes,
         *     one without a label is judged as each class, and the one that it fits best is named.
         */
        ScoreSpec: {
            /** Model */
            model: string;
            /**
             * Images
             * @default null
             */
            images: string[] | null;
            /**
             * Points
             * @default null
             */
            points: number[][] | null;
            /**
             * Labels
             * @default null
             */
            labels: (string | number)[] | null;
            /**
             * Condition
             * @default null
             */
            condition: number[] | number[][] | null;
            /**
             * Inputs
             * @default null
             */
            inputs: string[] | null;
        };
        /**
         * SessionRequest
         * @description Body of `POST /v1/session`: the API key that is traded, where it is not in `Authorization`.
         */
        SessionRequest: {
            /** Key */
            key: string;
        };
        /**
         * TrainRequest
         * @description Body of `POST /v1/jobs` with `type: train`. What is left out is chosen.
         *
         *     `ema_halflife` is the average that draws by default (0: none), `ema_halflives` are all that are kept. `augment`:
         *     `diffaugment` transforms all that the discriminator sees, `ada` as often as it overfits; `auto`, as if it were left
         *     out, goes by the number and size of the images. Points have `none`. `model@best` follows `metric`, and so do the
         *     `keep_best` checkpoints that stay beside the newest. `l1` is for pairs alone: the weight of the mean absolute
         *     difference between what is made of an input and its target. `resume_from` is a checkpoint to go on from: in its own
         *     model where `model` is its name, else in a new one; `images` and `max_seconds` are budgets of this job alone.
         */
        TrainRequest: {
            /**
             * Type
             * @constant
             */
            type: "train";
            /** Dataset */
            dataset: string;
            /** Model */
            model: string;
            /**
             * Resume From
             * @default null
             */
            resume_from: string | null;
            /**
             * Recipe
             * @default r3gan
             * @enum {string}
             */
            recipe: "minimax" | "dcgan" | "lsgan" | "wgan" | "wgan-gp" | "sngan" | "r3gan";
            /**
             * Seed
             * @default 0
             */
            seed: number;
            /**
             * Images
             * @default null
             */
            images: number | null;
            /**
             * Max Seconds
             * @default null
             */
            max_seconds: number | null;
            /**
             * Loss
             * @default null
             */
            loss: ("minimax" | "non_saturating" | "least_squares" | "wasserstein" | "hinge" | "relativistic") | null;
            /**
             * Lipschitz
             * @default null
             */
            lipschitz: ("none" | "weight_clipping" | "gradient_penalty" | "spectral_norm") | null;
            /**
             * Clip
             * @default null
             */
            clip: number | null;
            /**
             * Gradient Penalty
             * @default null
             */
            gradient_penalty: number | null;
            /**
             * R1
             * @default null
             */
            r1: number | null;
            /**
             * R2
             * @default null
             */
            r2: number | null;
            /**
             * L1
             * @default null
             */
            l1: number | null;
            /**
             * Critic Steps
             * @default null
             */
            critic_steps: number | null;
            /**
             * Batch Size
             * @default null
             */
            batch_size: number | null;
            /**
             * Optimizer
             * @default null
             */
            optimizer: ("adam" | "rmsprop") | null;
            /**
             * Learning Rate
             * @default null
             */
            learning_rate: number | null;
            /**
             * Betas
             * @default null
             */
            betas: [
                number,
                number
            ] | null;
            /**
             * Ema Halflife
             * @default null
             */
            ema_halflife: number | null;
            /**
             * Ema Halflives
             * @default null
             */
            ema_halflives: number[] | null;
            /**
             * Augment
             * @default null
             */
            augment: ("none" | "diffaugment" | "ada") | "auto" | null;
            /**
             * Conditional
             * @default null
             */
            conditional: boolean | null;
            /**
             * Shared Batch
             * @default null
             */
            shared_batch: boolean | null;
            /**
             * Holdout
             * @default null
             */
            holdout: number | null;
            /**
             * @default {
             *       "architecture": null,
             *       "width": null,
             *       "latent_dim": null,
             *       "latent_distribution": null
             *     }
             */
            network: components["schemas"]["NetworkRequest"];
            /**
             * Checkpoint Every
             * @default null
             */
            checkpoint_every: number | null;
            /**
             * Preview Every
             * @default null
             */
            preview_every: number | null;
            /**
             * Keep Checkpoints
             * @default null
             */
            keep_checkpoints: number | null;
            /**
             * Keep Best
             * @default null
             */
            keep_best: number | null;
            /**
             * Metric
             * @default null
             */
            metric: ("fid" | "kid" | "precision" | "recall" | "density" | "coverage" | "sliced_wasserstein" | "wasserstein_exact" | "wasserstein2_exact" | "near_copies" | "js_estimate" | "wasserstein_estimate") | null;
            /**
             * Priority
             * @description Higher goes first, then what waits longer; what runs is not interrupted.
             * @default 0
             */
            priority: number;
            /**
             * Metadata
             * @default {}
             */
            metadata: {
                [key: string]: string;
            };
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
