"""Configurations of the shapes that the pipeline people use today has, made up."""

CENTRE = {"type": "xy_offset_position", "distance_meters": 2000, "center_x": -106.0831353, "center_y": 41.5430216}
PLACES = {"multi_point": {"p1": {"x": -106, "y": 41}, "p2": {"x": -105, "y": 41}}}


def numbered(**changes):
    """The older shape: days in numbers, tables `attacks` and `_special_features`."""
    return {
        "pipeline_name": "study",
        "data": {
            "filtering": dict(CENTRE),
            "date_range": {
                "start_day": 1,
                "end_day": 30,
                "start_month": 4,
                "end_month": 5,
                "start_year": 2021,
                "end_year": 2021,
            },
        },
        "features": {"columns": "extended_with_timestamps"},
        "attacks": {
            "enabled": True,
            "attack_ratio": 0.3,
            "type": "rand_offset",
            "min_distance": 100,
            "max_distance": 200,
            "random_seed": 7,
        },
        "ml": {"train_test_split": {"type": "random", "train_ratio": 0.8, "test_ratio": 0.2, "random_seed": 42}},
        "cache": {"enabled": True},
        "_special_features": {},
    } | changes


def written(**changes):
    """The newer shape: days as text, tables `attack`, `output` and `dask`."""
    return {
        "pipeline_name": "basic-100km",
        "version": "1.0.0",
        "created": "2026-02-20",
        "template_generated": True,
        "template_parameters": {"spatial_radius": "100km", "feature_set": "BASIC"},
        "data": {
            "source_file": "April.csv",
            "source_type": "csv",
            "columns_to_extract": [
                "metadata_receivedat",
                "coredata_position_lat",
                "coredata_position_long",
                "coredata_elevation",
            ],
            "filtering": {"center_longitude": -109.319556, "center_latitude": 41.538689, "radius_meters": 100000},
            "date_range": {"start": "2021-04-01", "end": "2021-04-30"},
            "coordinate_conversion": {
                "enabled": True,
                "method": "local_projection",
                "output_columns": ["x_pos", "y_pos"],
            },
        },
        "attack": {
            "type": "constant_offset_per_vehicle",
            "malicious_ratio": 0.25,
            "label_column": "isAttacker",
            "offset_distance_min": 100,
            "offset_distance_max": 200,
            "offset_direction_min": 0,
            "offset_direction_max": 360,
            "seed": 42,
        },
        "ml": {
            "features": ["x_pos", "y_pos", "coredata_elevation", "coredata_id"],
            "label": "isAttacker",
            "train_test_split": {"test_size": 0.2, "random_state": 42, "shuffle": True},
            "classifiers": ["RandomForest", "DecisionTreeClassifier", "KNN"],
        },
        "cache": {"clean_dataset": "cache/clean.parquet", "attack_dataset": "cache/attack.parquet"},
        "output": {"results_dir": "results/basic/", "log_dir": "logs/"},
        "dask": {"n_workers": 3, "threads_per_worker": 2, "memory_limit": "12GB", "dashboard_address": ":0"},
    } | changes


def template(**changes):
    """A template, which another program fills in."""
    return {
        "template_config": {
            "spatial_radius": "100km",
            "feature_set": "BASIC_WITH_ID",
            "attack_type": "random_offset",
            "malicious_ratio": 0.3,
        },
        "attack_parameters": {"offset_distance_min": 100, "offset_distance_max": 200, "seed": 42},
        "output_config": {"pipeline_name": "basic_with_id-100km", "results_dir": "results/m/", "cache_dir": "cache/m/"},
        "dask_config": {"n_workers": 3, "threads_per_worker": 2, "memory_limit": "12GB"},
    } | changes
