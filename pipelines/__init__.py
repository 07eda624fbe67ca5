"""Ready pipelines. In the wheel they are `zenml_ftvr.pipelines`."""
